import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { postmasterPid, signalProcess } from '../../src/demo/processes.ts';
import { bootMillis } from '../../src/guardian/boottime.ts';
import { eventually, useCluster } from '../harness/cluster.ts';
import { ClusterLoad } from '../harness/cluster-load.ts';
import { FakeWatchdogDevice } from '../harness/watchdog-device.ts';

/*
 * Real agents, guardians and servers with devices that reset nothing and remember what they were told.
 * Where a real one would reset the host, the test cuts its power.
 */

/** With the default times. */
const TIMEOUT_MILLIS = 2_000;

const devices = new Map<string, FakeWatchdogDevice>();
const get = useCluster(
  {
    members: 3,
    local: (_member, folder) => ({
      watchdog: { mode: 'required', driver: 'testing', device: `${folder}/watchdog` },
    }),
  },
  async (cluster) => {
    for (const { name, folder } of cluster.members) {
      devices.set(name, new FakeWatchdogDevice(folder));
    }
    await cluster.settle();
  },
);
let load: ClusterLoad;
beforeAll(async () => {
  load = await ClusterLoad.start(get(), await get().settle());
});
afterAll(async () => {
  await load?.stop();
  for (const device of devices.values()) device.unplug();
});

function deviceOf({ name }: DemoMember): FakeWatchdogDevice {
  const device = devices.get(name);
  if (device === undefined) throw new Error(`${name} has no device`);
  return device;
}

const guardianPid = (member: DemoMember): number | undefined =>
  member.processes().find(({ argv }) => argv.some((word) => word.includes('guardian/main')))?.pid;

/** The deadline that the guardian of this member has in force, on the clock of the host. */
function deadlineOf(member: DemoMember): number | undefined {
  try {
    const text = readFileSync(`${member.dataDir}.pgbaton/run/lease.json`, 'utf8');
    const { deadline } = JSON.parse(text) as { readonly deadline?: unknown };
    return typeof deadline === 'number' ? deadline : undefined;
  } catch {
    return undefined;
  }
}

const gapsSince = (device: FakeWatchdogDevice, since: number): readonly number[] => {
  const pings = device.pings.filter((at) => at >= since);
  return pings.slice(1).map((at, index) => at - (pings[index] ?? 0));
};

const serverProcesses = (member: DemoMember): readonly number[] =>
  member
    .processes()
    .filter(({ argv }) => /postgres/.test(argv[0] ?? ''))
    .map(({ pid }) => pid);

test('a healthy leader is pinged within the timeout, through a restart of its agent, and no standby is', async () => {
  const primary = await get().settle();
  const device = deviceOf(primary);
  await eventually('the device is open', () => device.counts);
  expect(device.timeoutMillis).toBe(TIMEOUT_MILLIS);
  const begunAt = bootMillis();
  await eventually('three timeouts', () => bootMillis() - begunAt > 3 * TIMEOUT_MILLIS);
  signalProcess(primary.agent.pid, 'SIGUSR2');
  await primary.agent.ended;
  primary.start();
  await eventually('the next agent leads', async () => primary.answers('/primary'));
  await eventually('three more', () => bootMillis() - begunAt > 6 * TIMEOUT_MILLIS);
  const gaps = gapsSince(device, begunAt);
  expect(gaps.length).toBeGreaterThan(10);
  expect(Math.max(...gaps)).toBeLessThan(TIMEOUT_MILLIS);
  expect(device.writes.some(({ at, kind }) => at > begunAt && kind !== 'ping')).toBe(false);
  for (const standby of get().others(primary)) expect(deviceOf(standby).writes).toEqual([]);
});

test('a frozen agent is fenced by its guardian, which stops the device once no process is left', async () => {
  const primary = await get().settle();
  const device = deviceOf(primary);
  await eventually('the device is open', () => device.counts);
  const agentPid = primary.agent.pid;
  const begunAt = performance.now();
  signalProcess(agentPid, 'SIGSTOP');
  const left = await eventually('the device is stopped', () =>
    device.counts ? undefined : { processes: serverProcesses(primary) },
  );
  expect(left.processes).toEqual([]);
  const successor = await get().cluster.waitForPrimary(30_000, primary);
  signalProcess(agentPid, 'SIGCONT');
  expect(await get().settle()).toBe(successor);
  expect(deviceOf(successor).counts).toBe(true);
  expect(load.twoPrimaries).toEqual([]);
  expect(await load.lost(successor, begunAt)).toEqual([]);
});

test('with agent and guardian frozen the host is reset before the lease ends, and another leads after it', async () => {
  const primary = await get().settle();
  const device = deviceOf(primary);
  await eventually('the device is open', () => device.counts);
  const guardian = guardianPid(primary);
  if (guardian === undefined) throw new Error('no guardian runs');
  signalProcess(primary.agent.pid, 'SIGSTOP');
  // What was on its way to the guardian has arrived and is written down.
  let seen = { deadline: deadlineOf(primary), since: bootMillis() };
  const end = await eventually('the last deadline', () => {
    const deadline = deadlineOf(primary);
    if (deadline !== seen.deadline) seen = { deadline, since: bootMillis() };
    return bootMillis() - seen.since > 600 ? seen.deadline : undefined;
  });
  signalProcess(guardian, 'SIGSTOP');
  const resetsAt = device.resetsAt;
  if (resetsAt === undefined) throw new Error('the device does not count');
  expect(resetsAt).toBeLessThan(end);
  expect(postmasterPid(primary.dataDir)).toBeDefined();
  await eventually('the device resets the host', () => bootMillis() >= resetsAt);
  await primary.kill();
  for (const at of device.pings) expect(at + TIMEOUT_MILLIS).toBeLessThan(end);
  const successor = await get().cluster.waitForPrimary(30_000, primary);
  expect(load.twoPrimaries).toEqual([]);
  device.writes.length = 0;
  expect(await get().settle()).toBe(successor);
});

test('in maintenance mode it is stopped, and counts again when that ends', async () => {
  const primary = await get().settle();
  const device = deviceOf(primary);
  await eventually('the device is open', () => device.counts);
  const pause = async (value: true | null): Promise<void> => {
    await primary.rest('/config', { method: 'PATCH', body: { pause: value } });
  };
  await pause(true);
  await eventually('the device is stopped', () => !device.counts);
  await pause(null);
  await eventually('the device counts', () => device.counts);
  expect(await primary.answers('/primary')).toBe(true);
});

test('a leader whose device fails is fenced and hands over, and does not lead before it works again', async () => {
  const primary = await get().settle();
  const device = deviceOf(primary);
  await eventually('the device is open', () => device.counts);
  device.unplug();
  const successor = await get().cluster.waitForPrimary(30_000, primary);
  expect(load.twoPrimaries).toEqual([]);
  device.writes.length = 0;
  device.plugIn();
  expect(await get().settle()).toBe(successor);
  expect(device.writes).toEqual([]);
});

test('a member without its device says so, and is no candidate', async () => {
  const primary = await get().settle();
  const [standby] = get().others(primary);
  const device = deviceOf(standby);
  await standby.stop(60_000);
  device.remove();
  standby.start();
  await eventually('it has failed', async () =>
    /"watchdog_failed": ?true/.test((await standby.rest('/patroni')).text),
  );
  const { text } = await standby.rest('/peer');
  expect(text).toContain('its watchdog is required and unusable');
  await standby.stop(60_000);
  devices.set(standby.name, new FakeWatchdogDevice(standby.folder));
  await get().settle();
});

test('a clean stop ends with the device stopped', async () => {
  const primary = await get().settle();
  const device = deviceOf(primary);
  await eventually('the device is open', () => device.counts);
  await primary.agent.stop(60_000);
  await eventually('the device is stopped', () => !device.counts);
  expect(device.writes.at(-1)?.kind).toBe('stop');
  expect(serverProcesses(primary)).toEqual([]);
});
