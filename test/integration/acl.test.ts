import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { createToken, shippedRules } from '../harness/consul-acl.ts';

/** Known before there is a Consul: the members' configuration is written first. */
const TOKEN = randomUUID();

const get = useCluster(
  {
    members: 3,
    acl: true,
    local: () => ({ consul: { token: TOKEN, register_service: true } }),
  },
  async (cluster) => {
    await createToken(cluster.consul, 'pgbaton-test', shippedRules('test').join('\n'), TOKEN);
    await cluster.settle();
  },
);

const namesAt = async (path: string): Promise<readonly string[]> => {
  const answer = await get().consul.request(path);
  const rows = (await answer.json()) as readonly Readonly<Record<string, string>>[];
  return rows.map((row) => row['ServiceID'] ?? row['Node'] ?? '').toSorted();
};

test('with the rights of config/consul-acl.hcl a cluster is founded, fails over and switches over', async () => {
  const cluster = get();
  const primary = await cluster.cluster.waitForPrimary(BOUNDS.takeoverMillis);
  expect(await namesAt('/v1/session/list')).toEqual(
    cluster.members.map(({ name }) => `pgbaton-test-${name}`),
  );
  await eventually('a service entry of every member', async () => {
    const services = await namesAt('/v1/catalog/service/test');
    return services.join(' ') === cluster.members.map(({ name }) => `test/${name}`).join(' ');
  });
  await primary.kill();
  const winner = await cluster.cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  primary.start();
  await cluster.cluster.waitForStreaming(winner, BOUNDS.rejoinMillis);
  const said = await cluster.cluster.switchover(winner, primary, BOUNDS.takeoverMillis);
  expect(said).toContain(primary.name);
  expect(await cluster.settle()).toBe(primary);
  for (const member of cluster.members) {
    const log = readFileSync(member.logFile, 'utf8');
    expect(log).not.toMatch(/permission denied|forbid/i);
    expect(log).not.toContain(TOKEN);
  }
});
