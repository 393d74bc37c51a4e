import { stat } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { becomePostgresUser } from '../harness/postgres-privileges.ts';
import { TestCluster, expectOk, until } from '../harness/postgres-server.ts';
import type { TestMember } from '../harness/postgres-server.ts';

const owner = await stat('/var/lib/postgresql');
becomePostgresUser(owner).close();

describe('a new cluster and its standby', () => {
  let cluster: TestCluster;
  let primary: TestMember;

  beforeAll(async () => {
    cluster = await TestCluster.create();
    primary = await cluster.member('alpha');
    await primary.bootstrap();
  });
  afterAll(() => cluster.close());

  it('is a primary on timeline 2 after its first promotion, with standby.signal beside it', async () => {
    const facts = await primary.facts();
    expect(facts).toMatchObject({ inRecovery: false, timeline: 2, pendingRestart: {} });
    const { serverVersionNumber } = expectOk(await primary.postgres.preflight());
    const majorVersion = Math.floor(serverVersionNumber / 10_000);
    const found = await primary.postgres.inspectDataDirectory();
    expect(found).toMatchObject({ kind: 'cluster', standbySignal: true, majorVersion });
  });

  it('clones with a slot, streams, and is promoted fast', async () => {
    const standby = await cluster.standby('beta', primary);
    await primary.sql('CREATE TABLE t AS SELECT generate_series(1, 1000) AS n');
    const facts = await primary.facts();
    expect(facts.slots).toContainEqual(expect.objectContaining({ name: 'beta', active: true }));
    await until('replayed', async () => {
      const seen = await standby.facts();
      return (seen.replayedLsn ?? 0n) >= (facts.flushLsn ?? 0n) ? true : undefined;
    });
    expect((await standby.facts()).timeline).toBe(2);
    await primary.stop();
    expectOk(await standby.postgres.promote());
    const after = await standby.promoted();
    expect(after.timeline).toBe(3);
    expect(await standby.sql('SELECT count(*) FROM t')).toBe('1000');
  });
});
