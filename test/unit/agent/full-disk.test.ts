import { expect, test } from 'vitest';
import { FakeCluster, isTakeover } from './fake-cluster.ts';

// 1. The leader dies while the disk of the only standby that is left is full.
// 2. It could not promote: a lease that it took would name it as the leader of nothing.
test('who cannot write down what it must not forget does not ask for the lease until it can', async () => {
  const cluster = new FakeCluster();
  cluster.record({ holder: 'pg1', id: 'L1', n: 5 }, ['pg1', 'pg2']);
  await cluster.start('pg2');
  await cluster.run(100);
  let asked = 0;
  cluster.consul.intercept = (call) => {
    if (isTakeover(call)) asked += 1;
    return undefined;
  };
  cluster.host('pg2').diskFull = true;
  await cluster.run(12_000);
  expect(asked, cluster.show()).toBe(0);
  const tries = cluster.log.filter((line) => line.includes('the host state could not be saved'));
  expect(tries.length, cluster.show()).toBeGreaterThan(1);
  expect(tries.length, cluster.show()).toBeLessThan(12);
  cluster.host('pg2').diskFull = false;
  const leads = await cluster.until(() => cluster.writable().includes('pg2'), 5000);
  expect(leads, cluster.show()).toBe(true);
});
