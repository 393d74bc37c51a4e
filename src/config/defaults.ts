import type { Policy } from '../core/settings.ts';
import { DEFAULT_TIMING } from '../core/timing.ts';

/** Patroni's top of all keys in Consul. */
export const DEFAULT_NAMESPACE = 'service';

export const DEFAULT_POLICY: Policy = {
  timing: DEFAULT_TIMING,
  maximumLagOnFailoverBytes: 1_048_576,
  checkTimeline: false,
  maxTimelinesHistory: 0,
  // Patroni's default is off; here a Consul outage must not cost the cluster its primary.
  failsafe: true,
  pause: false,
  crashRestartBudget: 3,
  crashWindowMillis: 60_000,
  memberSlotsTtlMillis: 1_800_000,
  useSlots: true,
  usePgRewind: false,
  recloneOnRewindFailure: false,
  recloneOnDivergence: false,
  synchronous: { mode: 'off', strict: false, nodeCount: 1, maximumLagBytes: undefined },
};

export const DEFAULT_POSTGRES = {
  database: 'postgres',
  superuser: 'postgres',
  pgCtlTimeoutMillis: 60_000,
  replicaMethods: ['basebackup'],
} as const;

export const DEFAULT_CONSUL = {
  host: '127.0.0.1',
  scheme: 'http',
  consistency: 'default',
  serviceCheckIntervalMillis: 5000,
} as const;

export const DEFAULT_LOG = {
  level: 'info',
  fileCount: 4,
  fileSizeBytes: 25_000_000,
  journalSizeBytes: 30_000_000,
} as const;
