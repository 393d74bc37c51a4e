import { LSN_ZERO } from '../../src/core/lsn.ts';
import type { ProbeAnswer, ServerFacts } from '../../src/core/postgres.ts';
import type { ClusterDisk } from './disk.ts';
import type { Machine, Server, ServerState } from './model.ts';
import { Receiver } from './receiver.ts';
import { advanced } from './wal.ts';
import type { Branch, Position } from './wal.ts';

/** Bytes of the records that the server writes by itself. */
const SHUTDOWN_CHECKPOINT_BYTES = 120;
const END_OF_RECOVERY_BYTES = 56;
/** A sender waits this long for a standby that does not answer. */
const SENDER_TIMEOUT_MILLIS = 60_000;
const DRAIN_POLL_MILLIS = 20;

/**
 * PostgreSQL as far as failover can see it: where its log ends, on which history, what it accepts.
 * Errs on the dangerous side: it serves writes until the very moment it is killed.
 */
export class PostgresServer implements Server {
  readonly host: Machine;
  readonly receiver: Receiver;
  state: ServerState = 'down';
  startedAt = 0;
  pid = 0;
  /** Whoever is told of the end of the postmaster; the cause is known to who caused it. */
  onExit: (crashed: boolean) => void = () => undefined;
  readonly slots = new Set<string>();
  synchronousStandbyNames = '';
  #starts = 0;
  #promoting = false;

  constructor(host: Machine) {
    this.host = host;
    this.receiver = new Receiver(this);
  }

  /** Its log, while there is one. */
  position(): Position | undefined {
    const disk = this.host.disk;
    return disk.kind === 'cluster' ? { branch: disk.branch, end: disk.end } : undefined;
  }

  get up(): boolean {
    return this.state !== 'down';
  }

  /** A client that asks now gets its writes acknowledged. */
  get writable(): boolean {
    return this.state === 'primary' && this.host.running;
  }

  /** Answers replication connections. */
  get serving(): boolean {
    return (this.state === 'primary' || this.state === 'recovery') && this.host.running;
  }

  start(): void {
    const { host } = this;
    const { disk, world, trouble } = host;
    this.#starts += 1;
    this.pid = 1000 + this.#starts;
    this.startedAt = host.clock.now();
    this.state = 'starting';
    this.#promoting = false;
    if (disk.kind !== 'cluster') {
      world.violation('D', `${host.name} starts Postgres on a directory that is ${disk.kind}`);
      return;
    }
    world.trace(host.name, `postmaster starts on ${disk.branch.timeline} at ${disk.end}`);
    const clean = disk.state === 'shut down' || disk.state === 'shut down in recovery';
    const delay = clean ? 40 + world.chance() * 150 : 100 + world.chance() * 900;
    const fails = world.chance() < trouble.startFailShare;
    this.#later(delay, () => {
      if (fails) this.#end(true);
      else this.#recover();
    });
  }

  #recover(): void {
    const disk = this.disk();
    if (!disk.standbySignal) {
      this.host.world.violation('I4', `${this.host.name} was started read-write`);
    }
    this.update({ state: 'in archive recovery' });
    this.state = 'recovery';
    this.receiver.start();
  }

  disk(): ClusterDisk {
    const { disk } = this.host;
    if (disk.kind !== 'cluster') throw new Error(`${this.host.name} runs without a data directory`);
    return disk;
  }

  update(change: Partial<ClusterDisk>): void {
    this.host.disk = { ...this.disk(), ...change };
    if (change.end !== undefined) this.#tellReceivers();
  }

  /** Its standbys hear of new log, and of its end, without asking all the time. */
  #tellReceivers(): void {
    for (const { postgres } of this.host.world.hosts) postgres.receiver.moved(this);
  }

  get consistent(): boolean {
    const disk = this.disk();
    return disk.end >= disk.consistentFrom;
  }

  promote(): void {
    if (this.state !== 'recovery' || this.#promoting) return;
    this.#promoting = true;
    const { world, trouble } = this.host;
    this.#later(50 + world.chance() * 250 + trouble.promoteDelayMillis, () => {
      this.#promoted();
    });
  }

  #promoted(): void {
    const { world, name } = this.host;
    const disk = this.disk();
    this.receiver.stop();
    const timeline = Math.max(disk.branch.timeline, disk.highestTimeline) + 1;
    const branch: Branch = world.newBranch(timeline, { branch: disk.branch, at: disk.end });
    this.update({
      branch,
      end: advanced(disk.end, END_OF_RECOVERY_BYTES),
      highestTimeline: timeline,
      state: 'in production',
      standbySignal: false,
      backupLabel: false,
    });
    this.#promoting = false;
    this.state = 'primary';
    world.trace(name, `promoted to timeline ${timeline} (branch ${branch.serial}) at ${disk.end}`);
  }

  /** A client's transaction, acknowledged when this returns. */
  write(bytes: number): Position {
    const disk = this.disk();
    const end = advanced(disk.end, bytes);
    this.update({ end });
    return { branch: disk.branch, end };
  }

  checkpoint(): void {
    const disk = this.disk();
    this.update({ checkpointTimeline: disk.branch.timeline, checkpointLsn: disk.end });
  }

  /** SIGINT: no client is served any more; a primary lets its standbys have all of its log. */
  stopFast(): void {
    if (this.state === 'down' || this.state === 'stopping') return;
    const before = this.state;
    const { world, name } = this.host;
    this.state = 'stopping';
    this.receiver.stop();
    world.trace(name, `fast stop (${before})`);
    if (before === 'starting') {
      this.#later(20, () => {
        this.#end(false);
      });
      return;
    }
    this.#later(20 + world.chance() * 150, () => {
      const disk = this.disk();
      if (before === 'recovery') {
        this.update({ state: 'shut down in recovery', checkpointTimeline: disk.branch.timeline });
        this.#end(false);
        return;
      }
      this.update({
        checkpointLsn: disk.end,
        checkpointTimeline: disk.branch.timeline,
        end: advanced(disk.end, SHUTDOWN_CHECKPOINT_BYTES),
      });
      this.#drain(world.now + SENDER_TIMEOUT_MILLIS);
    });
  }

  #drain(until: number): void {
    const { world } = this.host;
    const { end } = this.disk();
    const behind = world.hosts.some((other) => other.postgres.receiver.isBehind(this, end));
    if (behind && world.now < until) {
      this.#later(DRAIN_POLL_MILLIS, () => {
        this.#drain(until);
      });
      return;
    }
    this.update({ state: 'shut down' });
    this.#end(false);
  }

  /** SIGKILL, SIGQUIT, or the loss of the host: nothing is written any more. */
  kill(crashed: boolean): void {
    if (this.state === 'down') return;
    this.#end(crashed);
  }

  #end(crashed: boolean): void {
    const wasPrimary = this.state === 'primary';
    this.receiver.stop();
    this.state = 'down';
    this.#starts += 1;
    this.host.world.trace(this.host.name, `postmaster ended${wasPrimary ? ' as a primary' : ''}`);
    this.#tellReceivers();
    this.onExit(crashed);
  }

  /** Happens only while this very postmaster lives, and when the host runs. */
  #later(delay: number, then: () => void): void {
    const start = this.#starts;
    this.host.system.after(delay, () => {
      if (this.#starts === start) then();
    });
  }

  probe(): ProbeAnswer {
    switch (this.state) {
      case 'down':
        return { kind: 'unreachable', reason: 'connection refused' };
      case 'starting':
        return { kind: 'not-accepting', reason: 'the database system is starting up' };
      case 'stopping':
        return { kind: 'not-accepting', reason: 'the database system is shutting down' };
      case 'recovery':
        if (!this.consistent)
          return { kind: 'not-accepting', reason: 'not yet accepting connections' };
        return { kind: 'answered', facts: this.#facts(true), tookMillis: 1 };
      case 'primary':
        return { kind: 'answered', facts: this.#facts(false), tookMillis: 1 };
    }
  }

  #facts(inRecovery: boolean): ServerFacts {
    const disk = this.disk();
    const streaming = this.receiver.upstream;
    return {
      inRecovery,
      timeline: disk.branch.timeline,
      flushLsn: inRecovery ? undefined : disk.end,
      receivedLsn: inRecovery ? this.receiver.received : undefined,
      replayedLsn: inRecovery ? disk.end : undefined,
      replayedAt: undefined,
      replayPaused: false,
      receiverState: streaming === undefined ? undefined : 'streaming',
      receiverUpstream: streaming === undefined ? undefined : `${streaming.host.name}:5432`,
      receiverTimeline: streaming === undefined ? undefined : disk.branch.timeline,
      latestEndLsn: streaming === undefined ? undefined : disk.end,
      primaryConninfo: inRecovery ? this.receiver.conninfo : undefined,
      serverVersionNumber: 150_000,
      postmasterStartedAt: String(this.startedAt),
      systemIdentifier: disk.systemIdentifier,
      synchronousStandbyNames: this.synchronousStandbyNames,
      replication: [],
      slots: [...this.slots].map((name) => ({
        name,
        physical: true,
        active: false,
        restartLsn: LSN_ZERO,
        walStatus: 'reserved',
      })),
      pendingRestart: {},
    };
  }
}
