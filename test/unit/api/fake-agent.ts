import type {
  AgentFacade,
  Command,
  CommandAnswer,
  Explanation,
  MemberStatus,
} from '../../../src/agent/facade.ts';
import { EMPTY_CLUSTER, type ClusterRecord, type MemberKey } from '../../../src/core/cluster.ts';
import { lsn } from '../../../src/core/lsn.ts';
import type { ServerFacts } from '../../../src/core/postgres.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { RestApiSettings } from '../../../src/core/service-settings.ts';
import type { Settings, SynchronousPolicy, Tags } from '../../../src/core/settings.ts';
import type { PeerReport, PromiseReply, PromiseRequest } from '../../../src/ports/peers.ts';
import type { Logger } from '../../../src/ports/telemetry.ts';

const SCOPE = 'demo';
const NAME = 'pg1';

const NO_TAGS: Tags = {
  nofailover: false,
  failoverPriority: 1,
  noloadbalance: false,
  clonefrom: false,
  nosync: false,
  syncPriority: 1,
  nostream: false,
  replicatefrom: undefined,
  published: {},
};

function makeSettings(tags: Partial<Tags>, mode: SynchronousPolicy['mode']): Settings {
  const login = { username: 'postgres', password: new Secret('hidden'), options: {} };
  return {
    member: {
      scope: SCOPE,
      namespace: 'service',
      name: NAME,
      tags: { ...NO_TAGS, ...tags },
      apiUrl: 'http://127.0.0.1:8008/patroni',
      connUrl: 'postgres://127.0.0.1:5432/postgres',
      proxyUrl: undefined,
    },
    policy: {
      timing: {
        ttlMillis: 3000,
        heartbeatMillis: 500,
        fenceBudgetMillis: 500,
        retryTimeoutMillis: 2000,
        loopWaitMillis: 10_000,
        primaryStartTimeoutMillis: 300_000,
        primaryHangTimeoutMillis: 40_000,
        primaryStopTimeoutMillis: 0,
        promoteTimeoutMillis: 30_000,
      },
      maximumLagOnFailoverBytes: 1_048_576,
      checkTimeline: false,
      maxTimelinesHistory: 0,
      failsafe: true,
      pause: false,
      crashRestartBudget: 1,
      crashWindowMillis: 60_000,
      memberSlotsTtlMillis: 1_800_000,
      useSlots: true,
      usePgRewind: true,
      recloneOnRewindFailure: false,
      recloneOnDivergence: false,
      synchronous: { mode, strict: false, nodeCount: 1, maximumLagBytes: undefined },
    },
    postgres: {
      dataDir: '/data',
      configDir: undefined,
      binDir: undefined,
      binNames: {},
      listenAddresses: '127.0.0.1',
      port: 5432,
      connectHost: '127.0.0.1',
      connectPort: 5432,
      database: 'postgres',
      superuser: login,
      replication: login,
      rewind: login,
      pgpass: undefined,
      useUnixSocket: false,
      unixSocketDirectories: undefined,
      customConf: undefined,
      parameters: {},
      clusterParameters: {},
      recoveryConf: {},
      pgHba: undefined,
      pgIdent: undefined,
      pgCtlTimeoutMillis: 60_000,
      replicaMethods: ['basebackup'],
      basebackupOptions: [],
      rewindOptions: [],
      callbacks: {},
      prePromote: undefined,
      beforeStop: undefined,
    },
    bootstrap: undefined,
    notHonoured: [],
    warnings: [],
  };
}

const COMMON: ServerFacts = {
  inRecovery: false,
  timeline: 2,
  flushLsn: undefined,
  receivedLsn: undefined,
  replayedLsn: undefined,
  replayedAt: undefined,
  replayPaused: false,
  receiverState: undefined,
  receiverUpstream: undefined,
  receiverTimeline: undefined,
  latestEndLsn: undefined,
  primaryConninfo: undefined,
  serverVersionNumber: 150020,
  postmasterStartedAt: '2026-01-31 12:00:00.123456+00',
  systemIdentifier: '7710733172458067259',
  replication: [],
  slots: [],
  synchronousStandbyNames: '',
  pendingRestart: {},
};

export const PRIMARY_FACTS: ServerFacts = {
  ...COMMON,
  flushLsn: lsn(50_331_976n),
  replication: [
    {
      username: 'replicator',
      applicationName: 'pg2',
      clientAddress: '127.0.0.1',
      state: 'streaming',
      syncState: 'async',
      syncPriority: 0,
      sentLsn: lsn(50_331_976n),
      flushLsn: lsn(50_331_976n),
      replayLsn: lsn(50_331_976n),
    },
  ],
};

export const STANDBY_FACTS: ServerFacts = {
  ...COMMON,
  inRecovery: true,
  receivedLsn: lsn(1000n),
  replayedLsn: lsn(900n),
  replayedAt: Date.UTC(2026, 0, 31, 12, 0, 0, 123),
  latestEndLsn: lsn(1000n),
  receiverState: 'streaming',
};

export const PRIMARY: MemberStatus = {
  state: 'running',
  role: 'primary',
  holdsLease: true,
  acceptsWrites: true,
  server: { facts: PRIMARY_FACTS, ageMillis: 12 },
  replicationState: undefined,
  leaseLeftMillis: 2500,
  generation: { n: 7, id: 'g7' },
  storeSeenMillis: 5,
  storeLastSeenAt: Date.UTC(2026, 0, 31, 12, 0, 1),
  clusterUnlocked: false,
  failsafeActive: false,
  commitBrake: 'off',
  paused: false,
  pendingRestart: undefined,
  optime: lsn(50_331_976n),
  guardian: 'armed',
  watchdog: { state: 'off', failed: false },
  diskFreeBytes: 5_368_709_120,
  job: undefined,
  systemIdentifier: '7710733172458067259',
};

export const REPLICA: MemberStatus = {
  ...PRIMARY,
  role: 'replica',
  holdsLease: false,
  acceptsWrites: false,
  server: { facts: STANDBY_FACTS, ageMillis: 12 },
  replicationState: 'streaming',
  leaseLeftMillis: undefined,
  optime: lsn(1000n),
  guardian: 'idle',
  watchdog: { state: 'off', failed: false },
  diskFreeBytes: 5_368_709_120,
};

export const STANDBY_LEADER: MemberStatus = {
  ...REPLICA,
  role: 'standby_leader',
  holdsLease: true,
};

const EXPLANATION: Explanation = {
  rule: 'R420',
  ruleName: 'hold-the-lease',
  why: 'this member leads',
  waitsFor: ['nothing but the next heartbeat'],
  sinceMillis: 1234,
  candidates: [
    { name: 'pg2', eligible: true, why: 'newest log', lsn: lsn(1000n), timeline: 2 },
    { name: 'pg3', eligible: false, why: 'tag nofailover', lsn: undefined, timeline: undefined },
  ],
};

export const PEER: PeerReport = {
  scope: SCOPE,
  name: NAME,
  incarnation: 'incarnation-1',
  systemIdentifier: '7710733172458067259',
  postgres: { state: 'running', role: 'standby', timeline: 2, lsn: lsn(1000n) },
  highestGeneration: { n: 7, id: 'g7' },
  newestBeat: { id: 'g7', beat: 99 },
  holdsLease: undefined,
  canTakeOver: { able: true, why: 'streams from the leader' },
  storeSeenMillis: 5,
  promiseFreeMillis: undefined,
};

export const memberKey = (name: string, more: Partial<MemberKey> = {}): MemberKey => ({
  name,
  connUrl: `postgres://127.0.0.1:5433/postgres`,
  apiUrl: `http://127.0.0.1:8009/patroni`,
  state: 'running',
  role: 'replica',
  version: '0.1.0',
  ...more,
});

export const present = <T>(value: T) => ({ kind: 'present' as const, index: 1, value });

export const CLUSTER: ClusterRecord = {
  ...EMPTY_CLUSTER,
  leader: present({ member: NAME, session: 's1' }),
  initialize: present('7710733172458067259'),
  status: present({ optime: lsn(2000n), slots: {}, retainSlots: [] }),
  config: present({ ttl: 30, postgresql: { parameters: { max_connections: 100 } } }),
  history: present([
    {
      timeline: 1,
      lsn: lsn(1n << 62n),
      reason: 'no recovery target specified',
      timestamp: undefined,
      leader: undefined,
    },
    {
      timeline: 2,
      lsn: lsn(5n),
      reason: 'promoted',
      timestamp: '2026-01-31T12:00:00+00:00',
      leader: 'pg1',
    },
  ]),
  failsafe: present({ pg1: 'http://127.0.0.1:8008/patroni' }),
  members: [
    {
      index: 2,
      session: 's2',
      key: memberKey('pg2', {
        state: 'running',
        replicationState: 'streaming',
        timeline: 2,
        receiveLsn: lsn(1900n),
        replayLsn: lsn(1500n),
        tags: { nofailover: true },
        pendingRestart: true,
        pendingRestartReason: { max_connections: { old_value: '1', new_value: '2' } },
      }),
    },
    {
      index: 1,
      session: 's1',
      key: memberKey(NAME, { role: 'primary', timeline: 2, xlogLocation: lsn(2000n) }),
    },
    {
      index: 3,
      session: undefined,
      key: memberKey('pg3', { state: 'stopped', connUrl: 'garbage' }),
    },
  ],
};

/** The same cluster with this key `sync`. */
export const withSync = (leader: string | undefined, ...standbys: readonly string[]) => ({
  ...CLUSTER,
  sync: present({ leader, standbys, quorum: 0, version: 3 }),
});

export type FakeAgent = AgentFacade & {
  state: MemberStatus;
  tags: Partial<Tags>;
  mode: SynchronousPolicy['mode'];
  record: { record: ClusterRecord; ageMillis: number } | undefined;
  isAlive: boolean;
  answer: CommandAnswer;
  reply: PromiseReply;
  peer: PeerReport;
  reads: number;
  readonly submitted: Command[];
  readonly promised: PromiseRequest[];
  readonly withdrawn: string[];
};

/** An agent that says what the test told it to, and remembers what it was asked. */
export function createFakeAgent(state: MemberStatus = PRIMARY): FakeAgent {
  const fake: FakeAgent = {
    state,
    tags: {},
    mode: 'off',
    record: { record: CLUSTER, ageMillis: 3 },
    isAlive: true,
    answer: { kind: 'done', message: 'done', details: {} },
    reply: { kind: 'refused', why: 'not asked for' },
    peer: PEER,
    reads: 0,
    submitted: [],
    promised: [],
    withdrawn: [],
    settings: () => makeSettings(fake.tags, fake.mode),
    incarnation: () => 'incarnation-1',
    version: () => '0.1.0',
    status: () => fake.state,
    explain: () => EXPLANATION,
    cluster: () => fake.record,
    readCluster: () => {
      fake.reads += 1;
      return Promise.resolve(fake.record);
    },
    peerReport: () => fake.peer,
    promise: (request) => {
      fake.promised.push(request);
      return fake.reply;
    },
    withdraw: (leaseId) => {
      fake.withdrawn.push(leaseId);
    },
    alive: () => fake.isAlive,
    submit: (command) => {
      fake.submitted.push(command);
      return Promise.resolve(fake.answer);
    },
  };
  return fake;
}

export const REST: RestApiSettings = {
  listenHost: '127.0.0.1',
  listenPort: 0,
  connectAddress: '127.0.0.1:8008',
  authentication: undefined,
  certfile: undefined,
  keyfile: undefined,
  keyfilePassword: undefined,
  cafile: undefined,
  ciphers: undefined,
  verifyClient: 'none',
  allowlist: [],
  allowlistIncludeMembers: false,
  extraHeaders: {},
  serverTokens: 'original',
};

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

export function recordingLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  return {
    lines,
    log: (level, message, fields) => {
      lines.push({ level, message, fields });
    },
  };
}
