import type { Lsn } from '../../src/core/lsn.ts';
import type { Server, Stream } from './model.ts';
import { isPartOf, leftByNumber } from './wal.ts';
import type { Position } from './wal.ts';

/** A sender passes new log on within this; between two tries, too, while something is missing. */
const STREAM_WITHIN_MILLIS = 50;
/** Nothing is missing: it only looks whether the connection still stands. */
const IDLE_EVERY_MILLIS = 500;
/** wal_retrieve_retry_interval, as pgbaton sets it. */
const RETRY_EVERY_MILLIS = 500;
const RECEIVER_TIMEOUT_MILLIS = 60_000;

/**
 * The standby's side of streaming. Decides as PostgreSQL does, by timeline number and position; what
 * is really shared is checked by the world.
 */
export class Receiver implements Stream {
  readonly #server: Server;
  #target: string | undefined;
  #connected: Server | undefined;
  #connectedPid = 0;
  #heardAt = 0;
  #serial = 0;
  /** It has all of the sender's log, and waits to hear of more. */
  #idle = false;
  #cancelStep: () => void = () => undefined;
  received: Lsn | undefined;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Whom it streams from, as far as it knows. */
  get upstream(): Server | undefined {
    return this.#connected;
  }

  /** primary_conninfo, as the server shows it. */
  get conninfo(): string {
    return this.#target === undefined ? '' : `host=${this.#target} port=5432`;
  }

  start(): void {
    this.received = undefined;
    this.#restart();
  }

  stop(): void {
    this.#serial += 1;
    this.#cancelStep();
    this.#connected = undefined;
    this.#idle = false;
  }

  /** The sender has more, or has ended. */
  moved(sender: Server): void {
    if (!this.#idle || this.#connected !== sender) return;
    this.#again(this.#server.host.world.chance() * STREAM_WITHIN_MILLIS);
  }

  /** Points it elsewhere; a running receiver is restarted. */
  aim(upstream: string | undefined): void {
    if (this.#target === upstream) return;
    this.#target = upstream;
    if (this.#server.state === 'recovery') this.#restart();
  }

  /** A sender waits for it during its shutdown. */
  isBehind(sender: Server, end: Lsn): boolean {
    if (this.#connected !== sender || this.#connectedPid !== sender.pid) return false;
    const own = this.#server.position();
    return own === undefined || own.end < end;
  }

  #restart(): void {
    this.stop();
    this.#step(this.#serial);
  }

  #step(serial: number): void {
    if (serial !== this.#serial || this.#server.state !== 'recovery') return;
    if (this.#connected === undefined) this.#connect();
    else this.#stream(this.#connected, serial);
    const source = this.#connected;
    if (source === undefined) this.#again(RETRY_EVERY_MILLIS);
    else if (this.#lacks(source)) this.#again(STREAM_WITHIN_MILLIS);
    else this.#rest();
  }

  #rest(): void {
    this.#again(IDLE_EVERY_MILLIS);
    this.#idle = true;
  }

  #again(pause: number): void {
    this.#cancelStep();
    this.#idle = false;
    const serial = this.#serial;
    this.#cancelStep = this.#server.host.system.after(pause, () => {
      this.#step(serial);
    });
  }

  #lacks(source: Server): boolean {
    if (this.received === undefined) return true;
    const own = this.#server.position();
    const theirs = source.position();
    return own?.end !== theirs?.end || own?.branch !== theirs?.branch;
  }

  #connect(): void {
    const { host } = this.#server;
    const source = host.world.hosts.find((other) => other.name === this.#target)?.postgres;
    if (source === undefined || source === this.#server || !source.serving) return;
    if (!host.world.network.connects(host.name, source.host.name)) return;
    const own = this.#server.disk();
    const theirs = source.position();
    if (theirs === undefined || source.disk().systemIdentifier !== own.systemIdentifier) return;
    if (theirs.branch.timeline < own.branch.timeline) return;
    // It fetches the newer history files before it looks whether it can follow them.
    this.#server.update({
      highestTimeline: Math.max(own.highestTimeline, theirs.branch.timeline),
    });
    const left = leftByNumber(own.branch.timeline, theirs.branch);
    if (left === undefined) return;
    if (own.end > (left === 'current' ? theirs.end : left)) return;
    this.#connected = source;
    this.#connectedPid = source.pid;
    this.#heardAt = host.world.now;
    host.world.trace(host.name, `streams from ${source.host.name}`);
  }

  #stream(source: Server, serial: number): void {
    const { world, name } = this.#server.host;
    if (!source.host.up || !world.network.connects(name, source.host.name)) {
      if (world.now - this.#heardAt > RECEIVER_TIMEOUT_MILLIS) this.#connected = undefined;
      return;
    }
    if (!source.host.running) return;
    if (source.pid !== this.#connectedPid || source.state === 'down') {
      this.#connected = undefined;
      return;
    }
    this.#heardAt = world.now;
    const sent = source.position();
    if (sent === undefined || !this.#lacks(source)) return;
    world.network.send(source.host.name, name, () => {
      this.#server.host.system.run(() => {
        if (serial !== this.#serial || this.#connected !== source) return;
        this.#take(sent, source);
        if (!this.#idle && !this.#lacks(source)) this.#rest();
      });
    });
  }

  #take(sent: Position, source: Server): void {
    const own = this.#server.disk();
    if (sent.end < own.end) return;
    const { world, name } = this.#server.host;
    if (!isPartOf({ branch: own.branch, end: own.end }, sent)) {
      world.violation(
        'E',
        `${name} (branch ${own.branch.serial}, ${own.end}) streams from ${source.host.name} (branch ${sent.branch.serial}, ${sent.end}), whose history it does not share`,
      );
      return;
    }
    this.received = sent.end;
    if (sent.end === own.end && sent.branch === own.branch) return;
    this.#server.update({
      branch: sent.branch,
      end: sent.end,
      highestTimeline: Math.max(own.highestTimeline, sent.branch.timeline),
      backupLabel: false,
    });
  }
}
