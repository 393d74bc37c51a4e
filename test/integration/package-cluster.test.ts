import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { postmasterPid } from '../../src/demo/processes.ts';
import type { AgentProgram } from '../../src/demo/program.ts';
import { agentProgram } from '../../src/demo/program.ts';
import type { RunDirectory } from '../../src/demo/run-directory.ts';
import { SqlConnection } from '../../src/demo/sql.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { runProgram } from '../harness/cluster-programs.ts';
import { buildPackage, must } from '../harness/debian-package.ts';
import { readPrivateKilobytes } from '../harness/guardian-program.ts';
import { NotifyReceiver } from '../harness/notify-receiver.ts';

/*
 * A cluster of agents out of the package, bundled as they are there, each with a socket at which
 * systemd would listen.
 */

const WATCHDOG_MILLIS = 12_000;
const STOP_MILLIS = 30_000;

let bundle: string;

function unpack(run: RunDirectory): AgentProgram {
  const root = join(run.path, 'unpacked');
  must('dpkg-deb', ['-x', buildPackage(run.path, [], { DPKG_DEB_COMPRESSOR_TYPE: 'none' }), root]);
  bundle = join(root, 'usr/lib/pgbaton/dist/cli.js');
  return { node: agentProgram(run).node, args: [bundle, 'agent'] };
}

const receivers = new Map<DemoMember, NotifyReceiver>();

async function start(member: DemoMember): Promise<NotifyReceiver> {
  let receiver = receivers.get(member);
  if (receiver === undefined) {
    receiver = await NotifyReceiver.listen(join(get().run.path, `notify-${member.name}`));
    receivers.set(member, receiver);
  }
  member.start({
    NOTIFY_SOCKET: receiver.socket,
    WATCHDOG_USEC: String(WATCHDOG_MILLIS * 1000),
  });
  return receiver;
}

const get = useCluster({ members: 3, program: unpack }, async () => undefined);
afterAll(() => {
  for (const receiver of receivers.values()) receiver.close();
});

const isReady = async (receiver: NotifyReceiver, times = 1): Promise<unknown> =>
  eventually('being ready', () => receiver.count('READY') >= times, BOUNDS.bootstrapMillis);

test('the first member is ready once it takes writes, and says on the way what it does', async () => {
  const [first] = get().members;
  if (first === undefined) throw new Error('no member');
  const receiver = await start(first);
  await isReady(receiver);
  expect(await first.answers('/primary')).toBe(true);
  const beforehand = receiver.notifications
    .slice(
      0,
      receiver.notifications.findIndex(({ variables }) => variables.has('READY')),
    )
    .flatMap(({ variables }) => variables.get('STATUS') ?? []);
  expect(beforehand.join('\n')).toMatch(/^R\d{3} [a-z-]+: /);
  await eventually('the status of a leader', () =>
    receiver.values('STATUS').at(-1)?.startsWith('R350 leading: '),
  );
});

test('the others, started one after the other, are ready once they stream', async () => {
  const [first, ...others] = get().members;
  if (first === undefined) throw new Error('no member');
  for (const member of others) {
    await isReady(await start(member));
    expect(await get().cluster.streaming(first)).toContain(member.name);
  }
  expect(await get().settle()).toBe(first);
});

test('the command line of the package shows the cluster', async () => {
  const [first] = get().members;
  const shown = await runProgram(process.execPath, [bundle, '-c', first?.configFile ?? '', 'list']);
  expect(shown).toMatchObject({ code: 0, stderr: '' });
  expect(shown.stdout.match(/streaming/g)).toHaveLength(2);
  const version = await runProgram(process.execPath, [bundle, '--version']);
  expect(version.stdout).toMatch(/^pgbaton version \d+\.\d+\.\d+\n$/);
});

test('the guardian is a program of its own, and small', () => {
  const [first] = get().members;
  const guardian = first
    ?.processes()
    .find(({ argv }) => argv.includes(join(bundle, '../guardian/main.js')));
  if (first === undefined || guardian === undefined) throw new Error('none of the package runs');
  expect(readPrivateKilobytes(guardian.pid)).toBeLessThan(
    readPrivateKilobytes(first.agent.pid) / 3,
  );
});

test('an upgrade: the agent goes, the next one is ready, and a session lives on', async () => {
  const primary = await get().settle();
  const receiver = await start(primary);
  const readyBefore = receiver.count('READY');
  const postmaster = postmasterPid(primary.dataDir);
  const session = await SqlConnection.open(primary.sqlTarget, {
    connectMillis: 2_000,
    statementMillis: 5_000,
  });
  await session.query('create temporary table kept (n int)');
  primary.agent.signal('SIGUSR2');
  await primary.agent.ended;
  await start(primary);
  await isReady(receiver, readyBefore + 1);
  expect(receiver.count('STOPPING')).toBe(1);
  expect(await primary.answers('/primary')).toBe(true);
  expect(postmasterPid(primary.dataDir)).toBe(postmaster);
  await session.query('insert into kept values (1)');
  session.close();
});

test('SIGHUP is a reload that begins and ends', async () => {
  const primary = await get().settle();
  const receiver = await start(primary);
  const ready = receiver.count('READY');
  primary.agent.signal('SIGHUP');
  await eventually('the reload', () => receiver.count('RELOADING') === 1);
  await isReady(receiver, ready + 1);
});

test('the watchdog is fed while decisions are made, and not while they are not', async () => {
  const primary = await get().settle();
  const [replica] = get().others(primary);
  const receiver = await start(replica);
  const fed = receiver.count('WATCHDOG');
  await eventually('the next meal', () => receiver.count('WATCHDOG') > fed);
  replica.agent.signal('SIGSTOP');
  const stoppedAt = performance.now();
  const last = receiver.count('WATCHDOG');
  await eventually(
    'the time of two more',
    () => performance.now() - stoppedAt > (2 * WATCHDOG_MILLIS) / 3,
  );
  // One may have been under way.
  expect(receiver.count('WATCHDOG')).toBeLessThanOrEqual(last + 1);
  // What systemd does then: Postgres runs on, and the next agent adopts it.
  const postmaster = postmasterPid(replica.dataDir);
  const ready = receiver.count('READY');
  await replica.killAgent();
  await start(replica);
  await isReady(receiver, ready + 1);
  expect(postmasterPid(replica.dataDir)).toBe(postmaster);
});

test('a stop is announced, and Postgres is down when the agent has gone', async () => {
  const primary = await get().settle();
  const receiver = await start(primary);
  const stopping = receiver.count('STOPPING');
  expect(await primary.agent.stop(STOP_MILLIS), 'it ended by itself').toBe(true);
  expect(receiver.count('STOPPING')).toBe(stopping + 1);
  expect(postmasterPid(primary.dataDir)).toBeUndefined();
  await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
});
