import type { Result } from '../core/result.ts';
import type { Instant, Millis } from '../core/time.ts';
import type { HeldWatchdog, WatchdogOrder } from '../core/watchdog.ts';
import type { LaunchCommand } from './postgres.ts';

/** The lease as the guardian keeps it on this host, for an agent that restarts. */
export interface ArmedLease {
  readonly leaseId: string;
  readonly n: number;
  /** On the boot-time clock of this host. */
  readonly deadline: Instant;
  /** No time ends it: the guardian fences on request only, until it is armed with one that is not. */
  readonly paused?: boolean;
  readonly ttlMillis: Millis;
  /** What a fence may take: the guardian begins it this much, and 50 ms, before the deadline. */
  readonly fenceBudgetMillis: Millis;
  /** Members that were asked, or may have to be asked, for promises. */
  readonly failsafe: readonly string[];
}

export type PostmasterState =
  | { readonly kind: 'down'; readonly exit: PostmasterExit | undefined }
  | { readonly kind: 'up'; readonly pid: number; readonly startedAt: Instant };

export interface PostmasterExit {
  readonly at: Instant;
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** Who ended it: itself, the guardian at a deadline, or a request. */
  readonly cause: 'exited' | 'deadline' | 'fenced' | 'stopped';
}

/**
 * `over`: the newest lease that is over on this host, for its Postgres was proved down and nothing is
 * done under it again. Known after a restart of agent and guardian too; undefined: nothing is known.
 */
export type GuardianState =
  /** No guardian process; `foreign` is a postmaster on our data directory that none of ours started. */
  | {
      readonly kind: 'absent';
      readonly foreign: { readonly pid: number } | undefined;
      readonly over?: string | undefined;
    }
  | {
      readonly kind: 'present';
      readonly postmaster: PostmasterState;
      readonly armed: ArmedLease | undefined;
      readonly over?: string | undefined;
      /** Undefined: it is of an older version, and knows of no such device. */
      readonly watchdog?: HeldWatchdog | undefined;
    };

/**
 * The small process that is the postmaster's parent and outlives the agent. Past the armed deadline
 * it fences by itself, whatever the agent does.
 */
export interface Guardian {
  /** Finds the guardian of this data directory, if one lives. Called once, before anything else. */
  attach(): Promise<GuardianState>;
  /** As last told; never waits. */
  state(): GuardianState;
  /** Called at every change of `state()`: the exit of the postmaster is known at once. */
  onChange(listener: () => void): void;
  /** Starts a guardian if there is none, and the postmaster under it. */
  launch(command: LaunchCommand): Promise<Result<{ readonly pid: number }>>;
  /**
   * Answers when the guardian has acknowledged the deadline. Before a promotion this must have succeeded.
   * `watchdog`: the device that it is to hold as long as a time ends that lease. By the answer, `state()`
   * says whether it does.
   */
  arm(lease: ArmedLease, watchdog?: WatchdogOrder): Promise<Result<void>>;
  /** Only when Postgres is down or proved a standby. */
  disarm(): Promise<Result<void>>;
  /**
   * This lease is over: it is never armed again, and whoever comes next is told. Fails with
   * `postmaster-running` while any process of the server may be left, and with `guardian-request-unknown`
   * where an older guardian cannot keep it.
   */
  end(leaseId: string): Promise<Result<void>>;
  /** fast: SIGINT; immediate: SIGQUIT. Answers when the postmaster has ended, or with a failure after the bound. */
  stop(mode: 'fast' | 'immediate', timeoutMillis: Millis): Promise<Result<void>>;
  /**
   * Stops every process of the server at once (no backend acknowledges any more) and answers when
   * none is left. Works without a guardian and on a foreign postmaster too.
   */
  fence(reason: string): Promise<Result<void>>;
  /**
   * Stops every process of the server where it is: it acknowledges nothing. Ended by `thaw`, and by the
   * fence at the deadline, whatever becomes of the agent.
   */
  freeze(): Promise<Result<void>>;
  /** The server goes on, whoever had frozen it; nothing happens to one that runs. */
  thaw(): Promise<Result<void>>;
  /** Lets go without stopping anything: the guardian goes on. */
  detach(): Promise<void>;
}
