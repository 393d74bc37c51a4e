import { describe, expect, it } from 'vitest';
import type { MemberStatus } from '../../../src/agent/facade.ts';
import { lsn } from '../../../src/core/lsn.ts';
import {
  CLUSTER,
  createFakeAgent,
  PRIMARY,
  REPLICA,
  STANDBY_FACTS,
  STANDBY_LEADER,
  withSync,
  type FakeAgent,
} from './fake-agent.ts';
import { createTestServer } from './harness.ts';

const LEASE_LOST: MemberStatus = { ...PRIMARY, holdsLease: false, acceptsWrites: false };
const STARTING_LEADER: MemberStatus = {
  ...PRIMARY,
  state: 'starting',
  acceptsWrites: false,
  server: undefined,
};
const CLONING: MemberStatus = {
  ...REPLICA,
  state: 'creating replica',
  role: 'uninitialized',
  server: undefined,
  replicationState: undefined,
};
const STOPPED_REPLICA: MemberStatus = { ...REPLICA, state: 'stopped', server: undefined };

const STATES: Readonly<Record<string, MemberStatus>> = {
  primary: PRIMARY,
  'primary without lease': LEASE_LOST,
  'leader that starts': STARTING_LEADER,
  replica: REPLICA,
  'standby leader': STANDBY_LEADER,
  'member that clones': CLONING,
  'stopped replica': STOPPED_REPLICA,
};

/** Paths that mean the same, and the states in which they answer 200. */
const TABLE: readonly (readonly [readonly string[], readonly string[]])[] = [
  [['/', '/primary', '/master', '/read-write', '/primary/'], ['primary']],
  [
    ['/leader', '/leader/'],
    ['primary', 'leader that starts', 'standby leader'],
  ],
  [['/standby-leader', '/standby_leader'], ['standby leader']],
  [['/replica'], ['replica']],
  [['/read-only'], ['primary', 'replica', 'standby leader']],
  // Without synchronous_mode; with it below.
  [['/sync', '/synchronous', '/quorum'], []],
  [
    ['/read-only-sync', '/read-only-synchronous', '/read-only-quorum'],
    ['primary', 'standby leader'],
  ],
  [['/async', '/asynchronous'], ['replica']],
  [['/health'], ['primary', 'primary without lease', 'replica', 'standby leader']],
  [['/liveness'], Object.keys(STATES)],
  [['/readiness'], ['primary', 'leader that starts', 'replica', 'standby leader']],
];

const CASES = TABLE.flatMap(([paths, healthy]) =>
  paths.flatMap((path) =>
    Object.keys(STATES).map((state) => ({
      path,
      state,
      status: healthy.includes(state) ? 200 : 503,
    })),
  ),
);

const shared = createTestServer();

async function ask(path: string, agent: FakeAgent, method: 'GET' | 'HEAD' | 'OPTIONS' = 'GET') {
  // One server for all: making one takes longer than asking it.
  const { state, tags, mode, record, isAlive } = agent;
  Object.assign(shared.agent, { state, tags, mode, record, isAlive });
  return shared.app.inject({ method, url: path });
}

const codeOf = async (path: string, agent: FakeAgent): Promise<number> =>
  (await ask(path, agent)).statusCode;

function agentWith(change: Partial<MemberStatus>, base: MemberStatus = REPLICA): FakeAgent {
  return createFakeAgent({ ...base, ...change });
}

describe('health checks', () => {
  it.each(CASES)('$path answers $status on a $state', async ({ path, state, status }) => {
    const agent = createFakeAgent(STATES[state]);
    const answers = await Promise.all([
      ask(path, agent),
      ask(path, agent, 'HEAD'),
      ask(path, agent, 'OPTIONS'),
    ]);
    expect(answers.map((answer) => answer.statusCode)).toEqual([status, status, status]);
    expect(answers[1]?.body).toBe('');
    expect(answers[2]?.body).toBe('');
  });

  it('carry the status document of the member', async () => {
    const answer = await ask('/primary', createFakeAgent(PRIMARY));
    expect(answer.headers['content-type']).toContain('application/json');
    expect(answer.json()).toMatchObject({ state: 'running', role: 'primary' });
  });

  it('never wait: they answer while Consul and the commands hang', async () => {
    const agent = createFakeAgent();
    agent.readCluster = () => new Promise(() => undefined);
    agent.submit = () => new Promise(() => undefined);
    const { app } = createTestServer(agent);
    void app.inject('/cluster');
    void app.inject({ method: 'POST', url: '/reload' });
    expect((await app.inject('/primary')).statusCode).toBe(200);
    expect((await app.inject('/liveness')).statusCode).toBe(200);
  });

  it('/liveness follows the progress of the agent, except in a pause', async () => {
    const agent = createFakeAgent();
    agent.isAlive = false;
    expect(await codeOf('/liveness', agent)).toBe(503);
    agent.state = { ...PRIMARY, paused: true };
    expect(await codeOf('/liveness', agent)).toBe(200);
  });
});

describe('synchronous standbys', () => {
  const SYNC = ['/sync', '/synchronous'];
  const QUORUM = ['/quorum'];
  const ASYNC = ['/async', '/asynchronous'];
  const READ_ONLY_SYNC = ['/read-only-sync', '/read-only-synchronous'];
  const READ_ONLY_QUORUM = ['/read-only-quorum'];
  const ALL = [SYNC, QUORUM, ASYNC, READ_ONLY_SYNC, READ_ONLY_QUORUM].flat();

  const LISTED = { record: withSync('pg2', 'pg3', 'PG1'), ageMillis: 3 };
  const NOT_LISTED = { record: withSync('pg2', 'pg3'), ageMillis: 3 };
  const KEY_ABSENT = { record: CLUSTER, ageMillis: 3 };

  it.each<[string, Partial<FakeAgent>, readonly (readonly string[])[]]>([
    ['listed, mode on', { mode: 'on', record: LISTED }, [SYNC, READ_ONLY_SYNC]],
    ['listed, mode quorum', { mode: 'quorum', record: LISTED }, [QUORUM, READ_ONLY_QUORUM]],
    ['listed still, mode off', { mode: 'off', record: LISTED }, [ASYNC]],
    ['not listed, mode on', { mode: 'on', record: NOT_LISTED }, [ASYNC]],
    ['not listed, mode quorum', { mode: 'quorum', record: NOT_LISTED }, [ASYNC]],
    ['mode on, no key yet', { mode: 'on', record: KEY_ABSENT }, [ASYNC]],
    [
      'listed under no leader: nothing is promised',
      { mode: 'on', record: { record: withSync(undefined, 'pg1'), ageMillis: 3 } },
      [ASYNC],
    ],
    [
      'mode on, Consul not read for long',
      { mode: 'on', record: { ...LISTED, ageMillis: 15_001 } },
      [],
    ],
    ['mode on, Consul not read at all', { mode: 'on', record: undefined }, []],
    ['mode off, Consul not read at all', { mode: 'off', record: undefined }, [ASYNC]],
    [
      'mode on, unreadable key',
      {
        mode: 'on',
        record: {
          record: { ...CLUSTER, sync: { kind: 'garbled', index: 1, reason: 'x' } },
          ageMillis: 3,
        },
      },
      [],
    ],
    [
      'listed, but noloadbalance',
      { mode: 'on', record: LISTED, tags: { noloadbalance: true } },
      [],
    ],
    ['listed, but stopped', { mode: 'on', record: LISTED, state: STOPPED_REPLICA }, []],
    [
      'the primary, listed or not',
      { mode: 'on', record: LISTED, state: PRIMARY },
      [READ_ONLY_SYNC, READ_ONLY_QUORUM],
    ],
  ])('%s', async (_title, change, healthy) => {
    const agent = Object.assign(createFakeAgent(REPLICA), change);
    const codes = await Promise.all(ALL.map((path) => codeOf(path, agent)));
    const ok = ALL.filter((_path, index) => codes[index] === 200);
    expect(ok).toEqual(ALL.filter((path) => healthy.flat().includes(path)));
  });

  it('are filtered by lag and tags as every standby', async () => {
    const agent = Object.assign(createFakeAgent(REPLICA), { mode: 'on', record: LISTED });
    expect(await codeOf('/sync?lag=100', agent)).toBe(200);
    expect(await codeOf('/sync?lag=99', agent)).toBe(503);
    expect(await codeOf('/read-only-sync?lag=99', agent)).toBe(503);
    expect(await codeOf('/sync?tag_zone=a', agent)).toBe(503);
  });
});

describe('filters of the standbys', () => {
  it.each(['/replica', '/async', '/read-only'])('%s honours noloadbalance', async (path) => {
    const agent = createFakeAgent(REPLICA);
    agent.tags = { noloadbalance: true };
    expect(await codeOf(path, agent)).toBe(503);
  });

  // The primary is at 1000, the standby has replayed 900.
  it.each([
    ['100', 200],
    ['99', 503],
    ['0', 503],
    ['1kB', 200],
    ['16kB', 200],
    ['10MB', 200],
    ['1GB', 200],
    ['0.01kB', 503],
    ['plenty', 200],
    ['', 200],
  ])('lag=%s answers %i', async (lag, status) => {
    expect(await codeOf(`/replica?lag=${lag}`, createFakeAgent(REPLICA))).toBe(status);
  });

  it('lag is counted from the newest of what Consul and the WAL receiver know', async () => {
    const agent = agentWith({ optime: lsn(100_000n) });
    expect(await codeOf('/replica?lag=1kB', agent)).toBe(503);
    agent.state = agentWith({
      optime: lsn(900n),
      server: { facts: { ...STANDBY_FACTS, latestEndLsn: lsn(100_000n) }, ageMillis: 1 },
    }).state;
    expect(await codeOf('/replica?lag=1kB', agent)).toBe(503);
  });

  it('a lag that is not known is not within the bound', async () => {
    const unknownOwn = { facts: { ...STANDBY_FACTS, replayedLsn: undefined }, ageMillis: 1 };
    expect(await codeOf('/replica?lag=1GB', agentWith({ server: unknownOwn }))).toBe(503);
    const unknownLeader = { facts: { ...STANDBY_FACTS, latestEndLsn: undefined }, ageMillis: 1 };
    const agent = agentWith({ server: unknownLeader, optime: undefined });
    expect(await codeOf('/replica?lag=1GB', agent)).toBe(503);
    expect(await codeOf('/replica', agent)).toBe(200);
  });

  it('lag does not concern the primary', async () => {
    expect(await codeOf('/primary?lag=0', createFakeAgent(PRIMARY))).toBe(200);
    expect(await codeOf('/read-only?lag=0', createFakeAgent(PRIMARY))).toBe(200);
  });

  it.each([
    ['/replica?replication_state=streaming', 200],
    ['/replica?replication_state=in%20archive%20recovery', 503],
    ['/async?replication_state=streaming', 200],
    ['/replica?replication_state=', 200],
  ])('%s answers %i while streaming', async (path, status) => {
    expect(await codeOf(path, createFakeAgent(REPLICA))).toBe(status);
  });

  it.each([
    ['/replica?tag_zone=a', 200],
    ['/replica?tag_zone=b', 503],
    ['/replica?tag_zone=a&tag_gpu=true', 200],
    ['/replica?tag_gpu=True', 503],
    ['/replica?tag_weight=3', 200],
    ['/replica?tag_missing=1', 503],
    ['/replica?tag_toString=x', 503],
    ['/health?tag_zone=b', 503],
    ['/leader?tag_zone=b', 503],
  ])('%s answers %i by the tags', async (path, status) => {
    const agent = createFakeAgent(REPLICA);
    agent.tags = { published: { zone: 'a', gpu: true, weight: 3 } };
    expect(await codeOf(path, agent)).toBe(status);
  });

  it('tags do not concern the primary', async () => {
    expect(await codeOf('/primary?tag_zone=b', createFakeAgent(PRIMARY))).toBe(200);
    expect(await codeOf('/leader?tag_zone=b', createFakeAgent(PRIMARY))).toBe(200);
  });
});

describe('/readiness', () => {
  const FAR: Partial<MemberStatus> = { optime: lsn(10_000_000n) };

  it.each([
    ['a standby behind maximum_lag_on_failover is not ready', '/readiness', FAR, 503],
    ['lag widens the bound', '/readiness?lag=1GB', FAR, 200],
    ['apply counts what is replayed', '/readiness?lag=50', {}, 503],
    ['write counts what is received', '/readiness?lag=50&mode=write', {}, 200],
    ['a standby without a stream is not ready', '/readiness', { replicationState: undefined }, 503],
  ])('%s', async (_title, path, change, status) => {
    expect(await codeOf(path, agentWith(change))).toBe(status);
  });
});
