import { expect, test } from 'vitest';
import { postmasterPid } from '../../src/demo/processes.ts';
import { eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { storedGeneration } from '../harness/cluster-store.ts';

const CONSUL_AWAY_MILLIS = 10_000;

const get = useCluster({ members: 3, consulServers: 3 });
const load = useLoad(get);

test('in maintenance mode nothing is missed: neither the agent of the leader nor Consul', async () => {
  const primary = await get().settle();
  const [standby] = get().others(primary);
  const generation = (await storedGeneration(get())).n;
  const pid = postmasterPid(primary.dataDir);
  await primary.rest('/config', { method: 'PATCH', body: { pause: true } });
  await eventually('the pause', async () => {
    return /"pause": ?true/.test((await primary.rest('/patroni')).text);
  });
  const at = performance.now();
  await primary.killAgent();
  const { consul } = get();
  await Promise.all(consul.servers.map(async (server) => server.kill()));
  const goneAt = performance.now();
  await eventually('Consul away for long', () => performance.now() - goneAt > CONSUL_AWAY_MILLIS);
  for (const server of consul.servers) server.start();
  for (const server of consul.servers) await consul.whenReady(server);
  primary.start();
  await eventually('the agent leading', async () => primary.answers('/primary'));
  expect(postmasterPid(primary.dataDir)).toBe(pid);
  expect(load().writableSequence(at)).toEqual([primary.name]);
  const down = standby.killPostmaster();
  await eventually('the standby down', async () => !(await standby.answers('/health')));
  expect(postmasterPid(standby.dataDir)).not.toBe(down);
  await primary.rest('/config', { method: 'PATCH', body: { pause: null } });
  expect(await get().settle()).toBe(primary);
  expect((await storedGeneration(get())).n).toBe(generation);
  expect(await load().lost(primary)).toEqual([]);
});
