import { describe, expect, it } from 'vitest';
import { lsn } from '../../../src/core/lsn.ts';
import { clusterDocument, historyDocument } from '../../../src/wire/rest/cluster.ts';
import { parseJsonText } from '../../../src/wire/rest/json-text.ts';
import { peerDocument } from '../../../src/wire/rest/peer.ts';
import { explainDocument, statusDocument } from '../../../src/wire/rest/status.ts';
import {
  CLUSTER,
  createFakeAgent,
  memberKey,
  PEER,
  present,
  PRIMARY,
  PRIMARY_FACTS,
  REPLICA,
  withSync,
  type FakeAgent,
} from './fake-agent.ts';
import { createTestServer } from './harness.ts';

const get = (url: string, agent: FakeAgent = createFakeAgent()) =>
  createTestServer(agent).app.inject(url);

const bodyOf = async (url: string, agent?: FakeAgent): Promise<unknown> => {
  const parsed = parseJsonText((await get(url, agent)).body);
  return parsed.ok ? parsed.value : parsed.error;
};

describe('GET /patroni', () => {
  it('describes a primary in the words of Patroni', async () => {
    const body = await bodyOf('/patroni');
    expect(body).toMatchObject({
      state: 'running',
      postmaster_start_time: '2026-01-31 12:00:00.123456+00:00',
      role: 'primary',
      server_version: 150020,
      xlog: { location: 50331976 },
      timeline: 2,
      replication: [
        {
          usename: 'replicator',
          application_name: 'pg2',
          client_addr: '127.0.0.1',
          state: 'streaming',
          sync_state: 'async',
          sync_priority: 0,
        },
      ],
      dcs_last_seen: 1769860801,
      database_system_identifier: '7710733172458067259',
      patroni: { version: '0.1.0', scope: 'demo', name: 'pg1' },
      pgbaton: { generation: { n: 7, id: 'g7' }, lease_left_ms: 2500, rule: 'R420' },
    });
    expect(statusDocument.safeParse(body).error).toBeUndefined();
  });

  it('describes a standby with what it received and replayed', async () => {
    const body = await bodyOf('/patroni', createFakeAgent(REPLICA));
    expect(body).toMatchObject({
      role: 'replica',
      replication_state: 'streaming',
      xlog: {
        received_location: 1000,
        replayed_location: 900,
        replayed_timestamp: '2026-01-31 12:00:00.123000+00:00',
        paused: false,
      },
    });
    expect(statusDocument.safeParse(body).error).toBeUndefined();
  });

  it('shows flags only when they are true', async () => {
    const quiet = await bodyOf('/patroni');
    for (const key of [
      'pause',
      'cluster_unlocked',
      'failsafe_mode_is_active',
      'watchdog_failed',
      'pending_restart',
      'tags',
    ]) {
      expect(quiet).not.toHaveProperty(key);
    }
    const agent = createFakeAgent({
      ...PRIMARY,
      paused: true,
      clusterUnlocked: true,
      failsafeActive: true,
      watchdog: { state: 'unusable', failed: true },
      pendingRestart: { max_connections: { old_value: '100', new_value: '200' } },
    });
    agent.tags = { published: { zone: 'a' } };
    expect(await bodyOf('/patroni', agent)).toMatchObject({
      pause: true,
      cluster_unlocked: true,
      failsafe_mode_is_active: true,
      watchdog_failed: true,
      pending_restart: true,
      pending_restart_reason: { max_connections: { new_value: '200' } },
      tags: { zone: 'a' },
    });
  });

  it('says of a standby which kind of synchronous one it is, and of others nothing', async () => {
    const agent = createFakeAgent(REPLICA);
    agent.record = { record: withSync('pg2', 'pg1'), ageMillis: 1 };
    expect(await bodyOf('/patroni', agent)).not.toHaveProperty('sync_standby');
    agent.mode = 'on';
    const synchronous = await bodyOf('/patroni', agent);
    expect(synchronous).toMatchObject({ role: 'replica', sync_standby: true });
    expect(synchronous).not.toHaveProperty('quorum_standby');
    expect(statusDocument.safeParse(synchronous).error).toBeUndefined();
    agent.mode = 'quorum';
    const voter = await bodyOf('/patroni', agent);
    expect(voter).toMatchObject({ role: 'replica', quorum_standby: true });
    expect(voter).not.toHaveProperty('sync_standby');
    agent.state = PRIMARY;
    expect(await bodyOf('/patroni', agent)).not.toHaveProperty('quorum_standby');
  });

  it.each(['stopping', 'crashed', 'unknown', 'starting'] as const)(
    'shows no position while Postgres is %s',
    async (state) => {
      const body = await bodyOf('/patroni', createFakeAgent({ ...PRIMARY, state }));
      expect(body).toMatchObject({ state, role: 'primary' });
      expect(body).not.toHaveProperty('xlog');
      expect(body).not.toHaveProperty('timeline');
    },
  );

  it('writes 64-bit positions as exact JSON integers', async () => {
    const facts = { ...PRIMARY_FACTS, flushLsn: lsn(9_223_372_036_854_775_807n) };
    const agent = createFakeAgent({ ...PRIMARY, server: { facts, ageMillis: 1 } });
    const answer = await get('/patroni', agent);
    expect(answer.body).toContain('"xlog":{"location":9223372036854775807}');
  });
});

describe('GET /cluster', () => {
  it('lists the members by name with roles, addresses and lag', async () => {
    const body = await bodyOf('/cluster');
    expect(body).toMatchObject({
      scope: 'demo',
      members: [
        {
          name: 'pg1',
          role: 'leader',
          state: 'running',
          host: '127.0.0.1',
          port: 5433,
          timeline: 2,
        },
        {
          name: 'pg2',
          role: 'replica',
          state: 'streaming',
          receive_lsn: '0/76C',
          receive_lag: 100,
          replay_lsn: '0/5DC',
          replay_lag: 500,
          lsn: '0/76C',
          lag: 100,
          tags: { nofailover: true },
          pending_restart: true,
        },
        { name: 'pg3', role: 'replica', state: 'stopped', lsn: 'unknown', lag: 'unknown' },
      ],
    });
    expect(clusterDocument.safeParse(body).error).toBeUndefined();
    const [leader] = (body as { members: object[] }).members;
    expect(leader).not.toHaveProperty('lag');
  });

  it('says how old it is, when Consul does not answer', async () => {
    const agent = createFakeAgent();
    agent.record = { record: CLUSTER, ageMillis: 61_000 };
    const answer = await get('/cluster', agent);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['x-pgbaton-age-ms']).toBe('61000');
    expect(answer.json()).toMatchObject({ pgbaton: { age_ms: 61000, answered_by: 'pg1' } });
  });

  it('names the holder of the lease as leader while the leader key is missing', async () => {
    const agent = createFakeAgent();
    agent.record = { record: { ...CLUSTER, leader: { kind: 'absent' } }, ageMillis: 1 };
    expect(await bodyOf('/cluster', agent)).toMatchObject({
      members: [{ role: 'leader' }, {}, {}],
    });
    agent.state = REPLICA;
    expect(await bodyOf('/cluster', agent)).toMatchObject({
      members: [{ role: 'replica' }, {}, {}],
    });
  });

  it('shows pause and a scheduled switchover', async () => {
    const agent = createFakeAgent();
    const failover = present({
      leader: 'pg1',
      candidate: 'pg2',
      scheduledAt: '2026-02-01T00:00:00+00:00',
    });
    const record = { ...CLUSTER, config: present({ pause: true }), failover };
    agent.record = { record, ageMillis: 1 };
    expect(await bodyOf('/cluster', agent)).toMatchObject({
      pause: true,
      scheduled_switchover: { at: '2026-02-01T00:00:00+00:00', from: 'pg1', to: 'pg2' },
    });
  });

  it.each([
    ['on', ['leader', 'sync_standby', 'replica']],
    ['quorum', ['leader', 'quorum_standby', 'replica']],
    // As for Patroni: who is listed still counts until the key is gone.
    ['off', ['leader', 'sync_standby', 'replica']],
  ] as const)('in synchronous_mode %s names the roles of key sync', async (mode, roles) => {
    const agent = createFakeAgent();
    agent.mode = mode;
    agent.record = { record: withSync('pg1', 'PG2'), ageMillis: 1 };
    const body = await bodyOf('/cluster', agent);
    expect((body as { members: { role: string }[] }).members.map(({ role }) => role)).toEqual([
      ...roles,
    ]);
    expect(clusterDocument.safeParse(body).error).toBeUndefined();
  });

  it('a former leader that is listed and leads again is the leader', async () => {
    const agent = createFakeAgent();
    agent.mode = 'on';
    agent.record = { record: withSync('pg2', 'pg1', 'pg2'), ageMillis: 1 };
    expect(await bodyOf('/cluster', agent)).toMatchObject({
      members: [{ role: 'leader' }, { role: 'sync_standby' }, { role: 'replica' }],
    });
  });

  it('marks the leader of a standby cluster', async () => {
    const agent = createFakeAgent();
    const members = [{ index: 1, session: 's', key: memberKey('pg1', { role: 'standby_leader' }) }];
    agent.record = { record: { ...CLUSTER, members }, ageMillis: 1 };
    expect(await bodyOf('/cluster', agent)).toMatchObject({
      members: [{ role: 'standby_leader' }],
    });
  });

  it('does not read Consul more than twice for a crowd', async () => {
    const agent = createFakeAgent();
    const { app } = createTestServer(agent);
    await Promise.all(Array.from({ length: 50 }, () => app.inject('/cluster')));
    expect(agent.reads).toBeLessThanOrEqual(2);
    await app.inject('/cluster');
    expect(agent.reads).toBeLessThanOrEqual(3);
  });

  it.each(['/cluster', '/history', '/config', '/failsafe'])(
    '%s answers 503 before anything was read',
    async (path) => {
      const agent = createFakeAgent();
      agent.record = undefined;
      const answer = await get(path, agent);
      expect(answer.statusCode).toBe(503);
      expect(answer.json()).toMatchObject({ error: 'store-unread' });
    },
  );
});

describe('other documents', () => {
  it('/history has three to five columns, with exact positions', async () => {
    const body = await bodyOf('/history');
    expect(body).toEqual([
      [1, 4611686018427387904n, 'no recovery target specified'],
      [2, 5, 'promoted', '2026-01-31T12:00:00+00:00', 'pg1'],
    ]);
    expect(historyDocument.safeParse(body).error).toBeUndefined();
  });

  it('/history is empty without a history', async () => {
    const agent = createFakeAgent();
    agent.record = { record: { ...CLUSTER, history: { kind: 'absent' } }, ageMillis: 1 };
    expect(await bodyOf('/history', agent)).toEqual([]);
  });

  it('/config shows the dynamic configuration, or 502 without one', async () => {
    const agent = createFakeAgent();
    expect(await bodyOf('/config', agent)).toEqual({
      ttl: 30,
      postgresql: { parameters: { max_connections: 100 } },
    });
    agent.record = { record: { ...CLUSTER, config: { kind: 'absent' } }, ageMillis: 1 };
    expect((await get('/config', agent)).statusCode).toBe(502);
  });

  it('/failsafe shows the list, or 502 without one', async () => {
    const agent = createFakeAgent();
    expect(await bodyOf('/failsafe', agent)).toEqual({ pg1: 'http://127.0.0.1:8008/patroni' });
    agent.record = { record: { ...CLUSTER, failsafe: { kind: 'absent' } }, ageMillis: 1 };
    expect((await get('/failsafe', agent)).statusCode).toBe(502);
  });

  it('/explain tells the last decision', async () => {
    const body = await bodyOf('/explain');
    expect(explainDocument.parse(body)).toMatchObject({
      name: 'pg1',
      rule: 'R420',
      candidates: [
        { name: 'pg2', eligible: true, lsn: '0/3E8', timeline: 2 },
        { name: 'pg3', eligible: false, lsn: null, timeline: null },
      ],
    });
  });

  it('/explain names the synchronous set, and says nothing where none is asked for', async () => {
    const agent = createFakeAgent();
    const explain = async () => explainDocument.parse(await bodyOf('/explain', agent)).synchronous;
    expect(await explain()).toBeNull();
    agent.mode = 'on';
    expect(await explain()).toEqual({ mode: 'on', leader: null, standbys: [], quorum: 0 });
    agent.record = { record: withSync('pg1', 'pg2', 'pg3'), ageMillis: 1 };
    const set = { leader: 'pg1', standbys: ['pg2', 'pg3'], quorum: 0 };
    expect(await explain()).toEqual({ mode: 'on', ...set });
    // Switched off, and promised still until the key is gone.
    agent.mode = 'off';
    expect(await explain()).toEqual({ mode: 'off', ...set });
  });

  it('/peer decodes to the very report that the agent gave', async () => {
    expect(peerDocument.parse(await bodyOf('/peer'))).toEqual(PEER);
    const agent = createFakeAgent();
    agent.peer = {
      ...PEER,
      systemIdentifier: undefined,
      postgres: { state: 'starting', role: 'unknown', timeline: undefined, lsn: undefined },
      highestGeneration: { n: 0, id: undefined },
      newestBeat: undefined,
      holdsLease: { id: 'g8', n: 8, leftMillis: 1200 },
      storeSeenMillis: undefined,
    };
    expect(peerDocument.parse(await bodyOf('/peer', agent))).toEqual(agent.peer);
  });

  it('/metrics is text for Prometheus', async () => {
    const answer = await get('/metrics');
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.body).toContain('# HELP');
  });
});
