import type { JsonObject } from './json.ts';
import type { Secret } from './secret.ts';
import type { Millis } from './time.ts';

/** Where an effective setting that decides about safety or speed comes together; all from one document. */
export interface Timing {
  /** How long a lease lives on its holder's clock, from the sending of the heartbeat that was acknowledged. */
  readonly ttlMillis: Millis;
  readonly heartbeatMillis: Millis;
  /** What a fence may take; it begins this much before the lease ends. */
  readonly fenceBudgetMillis: Millis;
  /** How long an operator-visible operation on Consul or Postgres is retried. */
  readonly retryTimeoutMillis: Millis;
  /** Longest pause between two decisions when nothing wakes the agent. */
  readonly loopWaitMillis: Millis;
  /** How long a crashed primary may take to recover before it is handed over; 0 hands over at once. */
  readonly primaryStartTimeoutMillis: Millis;
  /** How long a server that runs may answer nobody before it is killed; 0: for ever. */
  readonly primaryHangTimeoutMillis: Millis;
  /** How long a stop may take before it becomes immediate; 0 means no bound of its own. */
  readonly primaryStopTimeoutMillis: Millis;
  /** Longest time a promotion may take before the lease is released again. */
  readonly promoteTimeoutMillis: Millis;
}

/** Synchronous replication as asked for; what is in effect stands in the key `sync`. */
export interface SynchronousPolicy {
  readonly mode: 'off' | 'on' | 'quorum';
  /** Commits wait rather than be acknowledged by the primary alone. */
  readonly strict: boolean;
  /** Standbys that must have a commit before it is acknowledged; fewer where fewer there are. */
  readonly nodeCount: number;
  /** A standby further behind than this is no synchronous one; undefined: no bound. */
  readonly maximumLagBytes: number | undefined;
}

/** Cluster-wide policy: the dynamic configuration, with defaults. */
export interface Policy {
  readonly timing: Timing;
  readonly maximumLagOnFailoverBytes: number;
  readonly checkTimeline: boolean;
  /** Entries kept in `history`; 0 keeps all. */
  readonly maxTimelinesHistory: number;
  readonly failsafe: boolean;
  /** Maintenance: nobody starts, stops, promotes or replaces anything unasked. */
  readonly pause: boolean;
  /** Restarts in place after a crash within `crashWindowMillis` before the lease is handed over. */
  readonly crashRestartBudget: number;
  readonly crashWindowMillis: Millis;
  readonly memberSlotsTtlMillis: Millis;
  readonly useSlots: boolean;
  readonly usePgRewind: boolean;
  /** Whether a data directory may be re-cloned when a rewind fails, or histories diverged without rewind. */
  readonly recloneOnRewindFailure: boolean;
  readonly recloneOnDivergence: boolean;
  readonly synchronous: SynchronousPolicy;
}

export interface Tags {
  readonly nofailover: boolean;
  /** 0 and below means never; above, the higher one goes first among equals. */
  readonly failoverPriority: number;
  readonly noloadbalance: boolean;
  readonly clonefrom: boolean;
  readonly nosync: boolean;
  /** 0 and below means never synchronous; above, the higher one is chosen first. */
  readonly syncPriority: number;
  readonly nostream: boolean;
  readonly replicatefrom: string | undefined;
  /** Every tag as published in Consul and the REST API, custom ones included. */
  readonly published: JsonObject;
}

export interface MemberSettings {
  readonly scope: string;
  readonly namespace: string;
  readonly name: string;
  readonly tags: Tags;
  /** `http[s]://host:port/patroni`, as published. */
  readonly apiUrl: string;
  /** `postgres://host:port/database`, as published. */
  readonly connUrl: string;
  readonly proxyUrl: string | undefined;
}

/** How one Postgres role logs in: keys as in libpq. */
export interface Credentials {
  readonly username: string;
  readonly password: Secret | undefined;
  /** sslmode, sslcert, channel_binding and their like, by libpq name. */
  readonly options: Readonly<Record<string, string>>;
  /** Passphrase of the client key: libpq's sslpassword. */
  readonly sslPassword?: Secret | undefined;
}

export type GucValue = string | number | boolean;

/** A command of the operator's: replica creation method or custom bootstrap. */
export interface CustomCommand {
  readonly name: string;
  readonly command: string;
  readonly noParams: boolean;
  readonly keepData: boolean;
  readonly noLeader: boolean;
  /** Any further key, passed as `--key=value`. */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface PostgresSettings {
  readonly dataDir: string;
  readonly configDir: string | undefined;
  readonly binDir: string | undefined;
  /** Other names of the binaries, by their usual name. */
  readonly binNames: Readonly<Record<string, string>>;
  /** Addresses that Postgres listens on, and the port. */
  readonly listenAddresses: string;
  readonly port: number;
  readonly connectHost: string;
  readonly connectPort: number;
  readonly database: string;
  readonly superuser: Credentials;
  readonly replication: Credentials;
  readonly rewind: Credentials;
  readonly pgpass: string | undefined;
  readonly useUnixSocket: boolean;
  readonly unixSocketDirectories: string | undefined;
  readonly customConf: string | undefined;
  /** Effective parameters: dynamic under local, owned ones excluded. */
  readonly parameters: Readonly<Record<string, GucValue>>;
  /** Parameters that must be equal on all members (max_connections and their like), from the cluster only. */
  readonly clusterParameters: Readonly<Record<string, GucValue>>;
  readonly recoveryConf: Readonly<Record<string, GucValue>>;
  /** Lines of pg_hba.conf; undefined leaves the file alone. */
  readonly pgHba: readonly string[] | undefined;
  readonly pgIdent: readonly string[] | undefined;
  readonly pgCtlTimeoutMillis: Millis;
  readonly replicaMethods: readonly ('basebackup' | CustomCommand)[];
  readonly basebackupOptions: readonly string[];
  readonly rewindOptions: readonly string[];
  /** Shell commands by event: on_start, on_stop, on_restart, on_reload, on_role_change. */
  readonly callbacks: Readonly<Record<string, string>>;
  readonly prePromote: string | undefined;
  readonly beforeStop: string | undefined;
}

export interface BootstrapSettings {
  /** Options of initdb, already in the form `--data-checksums` or `--encoding=UTF8`. */
  readonly initdbOptions: readonly string[];
  readonly custom: CustomCommand | undefined;
  readonly postBootstrap: string | undefined;
  /** Lines of pg_hba.conf of the new cluster, where `PostgresSettings.pgHba` says nothing. */
  readonly pgHba?: readonly string[] | undefined;
  /** First content of the `config` key. */
  readonly dynamic: JsonObject;
}

/** The kernel's watchdog device; where the configuration says `off` there is none. */
export interface WatchdogSettings {
  /** `required`: without a working device this member does not lead. */
  readonly mode: 'automatic' | 'required';
  readonly device: string;
  /** `default`: a device of the kernel. `testing`: a named pipe that takes what would be written to one. */
  readonly driver: 'default' | 'testing';
  /** By how much the timeout is shorter than `ttl`. Undefined: by no more than it has to be; half: -1. */
  readonly safetyMarginMillis: Millis | 'half' | undefined;
}

/** Everything the agent is told, local under dynamic, as of one moment. */
export interface Settings {
  readonly member: MemberSettings;
  readonly policy: Policy;
  readonly postgres: PostgresSettings;
  /** Absent: this member never starts a new cluster. */
  readonly bootstrap: BootstrapSettings | undefined;
  /** Absent: the kernel's watchdog is not used. */
  readonly watchdog?: WatchdogSettings | undefined;
  /** Keys that are accepted but not yet honoured, by their path. */
  readonly notHonoured: readonly string[];
  readonly warnings: readonly string[];
}
