import type { Lsn } from '../../src/core/lsn.ts';
import type { ProbeAnswer } from '../../src/core/postgres.ts';
import { CommitBrake, RELOAD_WITHIN_MILLIS } from './commit-brake.ts';
import type { ClusterDisk } from './disk.ts';
import type { Machine, Server, ServerState } from './model.ts';
import { probeOf } from './postgres-facts.ts';
import { SimProcess } from './process.ts';
import { Receiver } from './receiver.ts';
import { Replication } from './replication.ts';
import type { Sender, Waiting } from './sync-commits.ts';
import { SyncCommits } from './sync-commits.ts';
import { advanced } from './wal.ts';
import type { Branch, Position } from './wal.ts';

/** Bytes of the records that the server writes by itself. */
const SHUTDOWN_CHECKPOINT_BYTES = 120;
const END_OF_RECOVERY_BYTES = 56;
/** A sender waits this long for a standby that does not answer. */
const SENDER_TIMEOUT_MILLIS = 60_000;
const DRAIN_POLL_MILLIS = 20;
const REFUSAL_POLL_MILLIS = 200;
const CHECKPOINT_EVERY_MILLIS = 20_000;

/**
 * PostgreSQL as far as failover can see it: where its log ends, on which history, what it accepts.
 * Errs on the dangerous side: it serves writes until the very moment it is killed.
 */
export class PostgresServer implements Server {
  readonly host: Machine;
  readonly receiver: Receiver;
  readonly replication = new Replication();
  /** Stopped with the host, or by itself: then it neither answers nor dies of anything but SIGKILL. */
  readonly process: SimProcess;
  state: ServerState = 'down';
  startedAt = 0;
  promotedAt = 0;
  pid = 0;
  /** Whoever is told of the end of the postmaster; the cause is known to who caused it. */
  onExit: (crashed: boolean) => void = () => undefined;
  #commits = new SyncCommits();
  /** As the file has it, kept across starts. */
  #synchronousStandbyNames = '';
  #shownNames = '';
  readonly brake: CommitBrake;
  #starts = 0;
  #promoting = false;

  constructor(host: Machine) {
    this.host = host;
    this.process = new SimProcess(host.world.queue, host.clock);
    this.receiver = new Receiver(this);
    this.brake = new CommitBrake({
      now: () => host.world.now,
      chance: () => host.world.chance(),
      later: (delay, then) => {
        this.#later(delay, then);
      },
      hold: (held) => {
        this.#commits.hold(held, this.replication.senders);
      },
    });
  }

  /** Its log, while there is one. */
  position(): Position | undefined {
    const disk = this.host.disk;
    return disk.kind === 'cluster' ? { branch: disk.branch, end: disk.end } : undefined;
  }

  get up(): boolean {
    return this.state !== 'down';
  }

  /** A client that asks now gets its writes acknowledged, once the standbys have them that it waits for. */
  get writable(): boolean {
    return this.state === 'primary' && this.#runs;
  }

  /** Answers replication connections. */
  get serving(): boolean {
    return (this.state === 'primary' || this.state === 'recovery') && this.#runs;
  }

  get #runs(): boolean {
    return this.host.running && !this.process.frozen;
  }

  /** As a session that was asked shows it. */
  get synchronousStandbyNames(): string {
    return this.brake.shown(this.#shownNames);
  }

  start(): void {
    const { host } = this;
    const { disk, world, trouble } = host;
    this.#starts += 1;
    this.pid = 1000 + this.#starts;
    this.startedAt = host.clock.now();
    this.state = 'starting';
    this.process.thaw('hung');
    this.process.thaw('brake');
    this.brake.started();
    this.#promoting = false;
    this.#commits = new SyncCommits();
    this.#commits.configure(this.#synchronousStandbyNames, []);
    this.#shownNames = this.#synchronousStandbyNames;
    if (disk.kind !== 'cluster') {
      world.violation('D', `${host.address} starts Postgres on a directory that is ${disk.kind}`);
      return;
    }
    world.trace(host.address, `postmaster starts on ${disk.branch.timeline} at ${disk.end}`);
    const clean = disk.state === 'shut down' || disk.state === 'shut down in recovery';
    const delay = clean ? 40 + world.chance() * 150 : 100 + world.chance() * 900;
    const fails = world.chance() < trouble.startFailShare || trouble.diskFull;
    this.#later(delay + trouble.startDelayMillis, () => {
      if (fails) this.#end(true);
      else this.#recover();
    });
  }

  #recover(): void {
    const disk = this.disk();
    if (!disk.standbySignal) {
      this.host.world.violation('I4', `${this.host.address} was started read-write`);
    }
    // The label is read once, at the first start, and put aside.
    this.update({ state: 'in archive recovery', backupLabel: false });
    this.state = 'recovery';
    this.#commits.started(disk.end);
    this.receiver.start();
    this.#recycleLater();
  }

  disk(): ClusterDisk {
    const { disk } = this.host;
    if (disk.kind !== 'cluster')
      throw new Error(`${this.host.address} runs without a data directory`);
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
      if (trouble.diskFull) this.#end(true);
      else this.#promoted();
    });
  }

  #promoted(): void {
    const { world, address } = this.host;
    const disk = this.disk();
    this.receiver.stop();
    const timeline = Math.max(disk.branch.timeline, disk.highestTimeline) + 1;
    const branch: Branch = world.newBranch(timeline, { branch: disk.branch, at: disk.end });
    this.state = 'primary';
    this.promotedAt = world.now;
    this.update({
      branch,
      end: advanced(disk.end, END_OF_RECOVERY_BYTES),
      highestTimeline: timeline,
      state: 'in production',
      standbySignal: false,
      backupLabel: false,
    });
    this.#promoting = false;
    this.#commits.started(disk.end);
    world.trace(
      address,
      `promoted to timeline ${timeline} (branch ${branch.serial}) at ${disk.end}`,
    );
    world.onPromoted(this.host, { branch: disk.branch, end: disk.end });
  }

  /** The server's own, which waits for nobody. */
  write(bytes: number): Position {
    const disk = this.disk();
    const end = advanced(disk.end, bytes);
    this.update({ end });
    return { branch: disk.branch, end };
  }

  commit(bytes: number, answer: Waiting['answer']): () => void {
    if (this.host.trouble.diskFull) {
      answer('lost', this.disk().end);
      this.#later(0, () => {
        this.#panic();
      });
      return () => undefined;
    }
    const commits = this.#commits;
    const waiting = { end: this.write(bytes).end, answer };
    commits.add(waiting, this.replication.senders);
    return () => {
      commits.cancel(waiting);
    };
  }

  /** What a new snapshot on this server sees. */
  visible(): Position {
    const { branch, end } = this.disk();
    return { branch, end: this.#commits.visible(end) };
  }

  #panic(): void {
    if (this.state !== 'primary' || !this.host.trouble.diskFull) return;
    this.host.world.trace(this.host.address, 'PANIC: no space left on device');
    this.#end(true);
  }

  setSynchronousStandbyNames(text: string): void {
    this.#synchronousStandbyNames = text;
    if (this.state === 'down') return;
    // Each process reads the file on its own: the session that the probe asks, and those that send log.
    const { world } = this.host;
    this.#later(world.chance() * RELOAD_WITHIN_MILLIS, () => {
      this.#shownNames = this.#synchronousStandbyNames;
    });
    this.#later(world.chance() * RELOAD_WITHIN_MILLIS, () => {
      this.#commits.configure(this.#synchronousStandbyNames, this.replication.senders);
    });
  }

  get holdsCommits(): boolean {
    return this.writable && this.#commits.isHeld;
  }

  onLetGo(callback: () => void): void {
    this.#commits.onLetGo(callback);
  }

  reported(sender: Sender, flush: Lsn): void {
    this.replication.report(sender, flush, this.disk().end);
    this.#commits.release(this.replication.senders);
  }

  disconnected(sender: Sender): void {
    this.replication.disconnect(sender);
    this.#commits.release(this.replication.senders);
  }

  checkpoint(): boolean {
    if (this.host.trouble.diskFull) return false;
    const disk = this.disk();
    this.update({ checkpointTimeline: disk.branch.timeline, checkpointLsn: disk.end });
    this.#recycle();
    return true;
  }

  #recycleLater(): void {
    const { world } = this.host;
    if (world.keptWalBytes === Infinity) return;
    this.#later(CHECKPOINT_EVERY_MILLIS * (0.5 + world.chance()), () => {
      this.#recycle();
      this.#recycleLater();
    });
  }

  /** Old log goes, but for what a slot holds. */
  #recycle(): void {
    const { keptWalBytes } = this.host.world;
    if (keptWalBytes === Infinity) return;
    const disk = this.disk();
    const from = advanced(disk.end, -keptWalBytes);
    const held = this.replication.held();
    const oldest = held !== undefined && held < from ? held : from;
    if (oldest > disk.oldestWal) this.update({ oldestWal: oldest });
  }

  /** SIGINT: no client is served any more; a primary lets its standbys have all of its log. */
  stopFast(): void {
    const asked = this.#starts;
    this.process.run(() => {
      if (this.#starts === asked) this.#stopFast();
    });
  }

  #stopFast(): void {
    if (this.state === 'down' || this.state === 'stopping') return;
    const before = this.state;
    const { world, address } = this.host;
    this.state = 'stopping';
    this.receiver.stop();
    this.#commits.disconnect();
    world.trace(address, `fast stop (${before})`);
    this.#proceed(before);
  }

  /** As soon as nothing keeps it from stopping: perhaps never. */
  #proceed(before: ServerState): void {
    const { world, trouble } = this.host;
    if (trouble.refusesStop) {
      this.#later(REFUSAL_POLL_MILLIS, () => {
        this.#proceed(before);
      });
      return;
    }
    if (before === 'starting') {
      this.#later(20, () => {
        this.#end(false);
      });
      return;
    }
    this.#later(20 + world.chance() * 150 + trouble.stopDelayMillis, () => {
      if (trouble.diskFull) this.#end(true);
      else this.#shutDown(before);
    });
  }

  #shutDown(before: ServerState): void {
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
      state: 'shut down',
    });
    this.#drain(this.host.world.now + SENDER_TIMEOUT_MILLIS);
  }

  #drain(until: number): void {
    const { end } = this.disk();
    this.replication.sendAll();
    const behind = this.replication.senders.some(({ flush }) => flush === undefined || flush < end);
    if (behind && this.host.world.now < until) {
      this.#later(DRAIN_POLL_MILLIS, () => {
        this.#drain(until);
      });
      return;
    }
    this.#end(false);
  }

  /** SIGQUIT: a server that was stopped itself does not hear it. */
  stopImmediately(): void {
    const asked = this.#starts;
    this.process.run(() => {
      if (this.#starts === asked) this.kill(false);
    });
  }

  /** SIGKILL, or the loss of the host: nothing is written any more. */
  kill(crashed: boolean): void {
    if (this.state === 'down') return;
    this.#end(crashed);
  }

  #end(crashed: boolean): void {
    const wasPrimary = this.state === 'primary';
    this.receiver.stop();
    this.state = 'down';
    this.#starts += 1;
    this.replication.disconnectAll();
    this.#commits.disconnect();
    this.host.world.trace(
      this.host.address,
      `postmaster ended${wasPrimary ? ' as a primary' : ''}`,
    );
    this.#tellReceivers();
    this.onExit(crashed);
  }

  /** Happens only while this very postmaster lives, and when it and the host run. */
  #later(delay: number, then: () => void): void {
    const start = this.#starts;
    this.process.after(delay, () => {
      if (this.#starts === start) then();
    });
  }

  probe(): ProbeAnswer {
    return probeOf(this, this.#commits.names);
  }
}
