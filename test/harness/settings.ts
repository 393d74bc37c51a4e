import { Secret } from '../../src/core/secret.ts';
import type {
  BootstrapSettings,
  MemberSettings,
  Policy,
  PostgresSettings,
  Settings,
  Tags,
  WatchdogSettings,
} from '../../src/core/settings.ts';
import { DEFAULT_TIMING } from '../../src/core/timing.ts';

export const TTL_MILLIS = DEFAULT_TIMING.ttlMillis;

const tags: Tags = {
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

const member: MemberSettings = {
  scope: 'demo',
  namespace: 'service',
  name: 'pg2',
  tags,
  apiUrl: 'http://pg2.example:8008/patroni',
  connUrl: 'postgres://pg2.example:5432/postgres',
  proxyUrl: undefined,
};

const policy: Policy = {
  timing: DEFAULT_TIMING,
  maximumLagOnFailoverBytes: 1_048_576,
  checkTimeline: false,
  maxTimelinesHistory: 0,
  failsafe: true,
  pause: false,
  crashRestartBudget: 3,
  crashWindowMillis: 60_000,
  memberSlotsTtlMillis: 1_800_000,
  useSlots: true,
  usePgRewind: true,
  recloneOnRewindFailure: false,
  recloneOnDivergence: false,
  synchronous: { mode: 'off', strict: false, nodeCount: 1, maximumLagBytes: undefined },
};

const login = { username: 'postgres', password: new Secret('hidden'), options: {} };

const postgres: PostgresSettings = {
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
};

const bootstrap: BootstrapSettings = {
  initdbOptions: [],
  custom: undefined,
  postBootstrap: undefined,
  dynamic: {},
};

export interface SettingsGiven {
  readonly name?: string;
  readonly tags?: Partial<Tags>;
  readonly policy?: Partial<Policy>;
  readonly timing?: Partial<Policy['timing']>;
  readonly postgres?: Partial<PostgresSettings>;
  readonly watchdog?: WatchdogSettings | undefined;
  /** False: no `bootstrap` section, this member never founds a cluster. */
  readonly mayBootstrap?: boolean;
}

export const aWatchdog = (mode: WatchdogSettings['mode']): WatchdogSettings => ({
  mode,
  device: '/dev/watchdog',
  driver: 'default',
  safetyMarginMillis: undefined,
});

/** Settings of member `pg2` with every default, changed where told. */
/** Operators have paused the cluster. */
export const inMaintenance = (): { readonly settings: Settings } => ({
  settings: someSettings({ policy: { pause: true } }),
});

export function someSettings(given: SettingsGiven = {}): Settings {
  return {
    member: {
      ...member,
      name: given.name ?? member.name,
      apiUrl: `http://${given.name ?? member.name}.example:8008/patroni`,
      tags: { ...tags, ...given.tags },
    },
    policy: {
      ...policy,
      ...given.policy,
      timing: { ...DEFAULT_TIMING, ...given.timing },
    },
    postgres: { ...postgres, ...given.postgres },
    bootstrap: given.mayBootstrap === false ? undefined : bootstrap,
    watchdog: given.watchdog,
    notHonoured: [],
    warnings: [],
  };
}
