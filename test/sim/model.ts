import type { Agent } from '../../src/agent/agent.ts';
import type { Command, CommandAnswer } from '../../src/agent/facade.ts';
import type { Decision } from '../../src/core/decision.ts';
import type { Memory } from '../../src/core/memory.ts';
import type { View } from '../../src/core/view.ts';
import type { Lsn } from '../../src/core/lsn.ts';
import type { ProbeAnswer } from '../../src/core/postgres.ts';
import type { ArmedLease, GuardianState } from '../../src/ports/guardian.ts';
import type { HostMemory } from '../../src/core/view.ts';
import type { SettingsSource } from '../../src/ports/settings-source.ts';
import type { Result } from '../../src/core/result.ts';
import type { WatchdogOrder } from '../../src/core/watchdog.ts';
import type { FakeStore } from '../harness/fake-store.ts';
import type { FakeWatchdog } from '../harness/fake-watchdog.ts';
import type { CommitBrake } from './commit-brake.ts';
import type { ClusterDisk, Disk } from './disk.ts';
import type { EventQueue } from './events.ts';
import type { Network } from './network.ts';
import type { HostClock, SimProcess } from './process.ts';
import type { Replication } from './replication.ts';
import type { Sender, Waiting } from './sync-commits.ts';
import type { Branch, Position } from './wal.ts';

/** What the parts of the simulated world know of each other. */

/** What goes wrong on one host, as the faults of a run set it. */
export interface Trouble {
  startFailShare: number;
  cloneFailShare: number;
  rewindFailShare: number;
  promoteDelayMillis: number;
  /** Longest time between the begin of a fence and the death of the last backend. */
  fenceMillis: number;
  /** How late the guardian gets to run (A3). */
  guardianLateMillis: number;
  startDelayMillis: number;
  stopDelayMillis: number;
  /** A fast stop never ends: only an immediate one does. */
  refusesStop: boolean;
  /** Nothing more can be written, by anyone on the host. */
  diskFull: boolean;
  /** How late the timers of the agent can be. */
  timerLateMillis: number;
}

/** A decision with what it was made from. */
export interface Made {
  readonly view: View;
  readonly memory: Memory;
  readonly decision: Decision;
}

/** The world as its hosts see it. */
export interface Scene {
  readonly queue: EventQueue;
  readonly network: Network;
  readonly hosts: readonly Machine[];
  readonly now: number;
  /** When something was last broken or repaired. */
  readonly disturbedAt: number;
  /** Uniform in [0, 1). */
  chance(): number;
  trace(who: string, what: string): void;
  violation(rule: string, what: string): void;
  newBranch(timeline: number, parent: Branch['parent']): Branch;
  newSystemIdentifier(): string;
  settingsFor(host: Machine): SettingsSource;
  connectStore(host: Machine, process: SimProcess): FakeStore;
  onAnswer(command: Command, answer: CommandAnswer): void;
  onDecision(host: Machine, made: Made): void;
  /** Whether two machines go by this name, or did a moment ago. */
  hasTwin(name: string): boolean;
  /** A server has left recovery, with all of this log. */
  onPromoted(host: Machine, log: Position): void;
  /** What a server keeps of its log besides what slots hold. */
  readonly keptWalBytes: number;
}

/** Which machine it is, and whose. */
export interface Identity {
  /** Of the member. Two machines can have the same, by mistake or one after the other. */
  readonly name: string;
  /** Of this very machine. */
  readonly address: string;
}

/** A host as its own parts and the other hosts see it. */
export interface Machine extends Identity {
  readonly world: Scene;
  readonly clock: HostClock;
  readonly system: SimProcess;
  readonly postgres: Server;
  readonly trouble: Trouble;
  readonly watchdog: FakeWatchdog;
  disk: Disk;
  facts: HostMemory;
  /** The run record: the lease that is over here, until the machine is booted. */
  over: string | undefined;
  /** Leases that were guarded here, and of which the machine has lost nothing since. */
  readonly witnessed: Set<string>;
  guardian: Watch | undefined;
  readonly agent: Resident | undefined;
  readonly up: boolean;
  readonly running: boolean;
  agentLeft(resident: Resident): void;
  agentGaveUp(resident: Resident): void;
  /** How much of the world's time since that moment of its own clock the host has not stood still. */
  ranMillisSince(moment: number): number;
}

/** An agent that runs on a host. */
export interface Resident {
  readonly process: SimProcess;
  /** World time. */
  readonly startedAt: number;
  readonly agent: Agent;
  submit(command: Command): void;
}

export type ServerState = 'down' | 'starting' | 'recovery' | 'primary' | 'stopping';

export interface Server {
  readonly host: Machine;
  readonly receiver: Stream;
  readonly state: ServerState;
  readonly startedAt: number;
  /** World time of its last promotion. */
  readonly promotedAt: number;
  readonly pid: number;
  readonly process: SimProcess;
  readonly replication: Replication;
  /** As in effect. */
  readonly synchronousStandbyNames: string;
  readonly up: boolean;
  readonly writable: boolean;
  readonly serving: boolean;
  readonly consistent: boolean;
  onExit: (crashed: boolean) => void;
  position(): Position | undefined;
  disk(): ClusterDisk;
  update(change: Partial<ClusterDisk>): void;
  start(): void;
  promote(): void;
  write(bytes: number): Position;
  /** A client's transaction; the result gives up waiting for standbys. */
  commit(bytes: number, answer: Waiting['answer']): () => void;
  visible(): Position;
  setSynchronousStandbyNames(text: string): void;
  readonly brake: CommitBrake;
  /** A commit that is asked for now waits for the brake. */
  readonly holdsCommits: boolean;
  /** Once, when commits do not wait for the brake any more. */
  onLetGo(callback: () => void): void;
  reported(sender: Sender, flush: Lsn): void;
  disconnected(sender: Sender): void;
  /** False: the disk is full. */
  checkpoint(): boolean;
  stopFast(): void;
  stopImmediately(): void;
  kill(crashed: boolean): void;
  probe(): ProbeAnswer;
}

export interface Stream {
  readonly upstream: Server | undefined;
  readonly received: Lsn | undefined;
  readonly conninfo: string;
  aim(address: string | undefined, slot: string | undefined): void;
  moved(sender: Server): void;
}

/** A guardian process as the agent's socket and the checks see it. */
export interface Watch {
  readonly process: SimProcess;
  readonly armed: ArmedLease | undefined;
  onChange: (state: GuardianState) => void;
  state(): GuardianState;
  launch(): Result<{ readonly pid: number }>;
  arm(lease: ArmedLease, watchdog?: WatchdogOrder): Result<void>;
  disarm(): Result<void>;
  end(leaseId: string): Result<void>;
  fence(): Promise<void>;
  freeze(): Result<void>;
  thaw(): void;
  stop(mode: 'fast' | 'immediate', timeoutMillis: number): Promise<Result<void>>;
  checkDeadline(): void;
  die(): void;
}
