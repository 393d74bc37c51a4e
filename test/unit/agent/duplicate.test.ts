import { beforeEach, expect, test } from 'vitest';
import { FakeCluster } from './fake-cluster.ts';

const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1', 'pg2']);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of ['pg1', 'pg2']) await cluster.start(name);
  cluster.host('copy').rest();
  await cluster.run(10_000);
});

// 1. The configuration of pg2 is copied to another host, its name with it; the agent there is started.
// 2. Both write the same keys, and each takes the other for what it was before a restart.
test('a process is not started under the name of a member that lives elsewhere', async () => {
  const started = await cluster.launch('pg2', 'copy');
  expect(started).toMatchObject({
    ok: false,
    error: {
      code: 'member-name-taken',
      message: 'a member called pg2 already runs at http://pg2:8008/patroni',
    },
  });
  await cluster.run(10_000);
  expect(cluster.log.filter((line) => line.includes('copy HOST'))).toEqual([]);
});

test('it is started once that member has gone, though its session may still live', async () => {
  cluster.kill('pg2');
  expect(await cluster.launch('pg2', 'copy')).toMatchObject({ ok: true });
});

test('it is started when Consul does not answer', async () => {
  cluster.consul.intercept = () => ({ kind: 'drop' });
  expect(await cluster.launch('pg2', 'copy')).toMatchObject({ ok: true });
});

test('a member is started again on its own host, where its key names itself', async () => {
  cluster.kill('pg2');
  cluster.host('pg2').end('exited');
  expect(await cluster.launch('pg2')).toMatchObject({ ok: true });
});
