import type { Lsn } from '../../src/core/lsn.ts';
import { QUIET } from '../harness/quiet.ts';
import type { Machine, Server, Stream } from './model.ts';
import type { Sender } from './sync-commits.ts';
import { isPartOf, leftByNumber } from './wal.ts';
import type { Position } from './wal.ts';

/** A sender passes new log on within this; between two tries, too, while something is missing. */
const STREAM_WITHIN_MILLIS = 50;
/** Nothing is missing: it only looks whether the connection still stands. */
const IDLE_EVERY_MILLIS = 500;
/** wal_retrieve_retry_interval, as pgbaton sets it. */
const RETRY_EVERY_MILLIS = 500;
/** wal_receiver_timeout and wal_sender_timeout: an end that has gone without a word is noticed. */
const SILENCE_MILLIS = 60_000;

interface Connection {
  readonly source: Server;
  readonly pid: number;
  readonly sender: Sender;
}

/**
 * The standby's side of streaming. Decides as PostgreSQL does, by timeline number and position; what
 * is really shared is checked by the world.
 */
export class Receiver implements Stream {
  readonly #server: Server;
  #target: { readonly address: string; readonly slot: string | undefined } | undefined;
  #connection: Connection | undefined;
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
    return this.#connection?.source;
  }

  /** primary_conninfo, as the server shows it. */
  get conninfo(): string {
    return this.#target === undefined ? '' : `host=${this.#target.address} port=5432`;
  }

  start(): void {
    this.received = undefined;
    this.#restart();
  }

  stop(): void {
    this.#serial += 1;
    this.#cancelStep();
    this.#disconnect();
    this.#idle = false;
  }

  /** The sender has more, or has ended. */
  moved(sender: Server): void {
    if (!this.#idle || this.#connection?.source !== sender) return;
    this.#again(this.#server.host.world.chance() * STREAM_WITHIN_MILLIS);
  }

  /** Points it elsewhere; a running receiver is restarted. */
  aim(address: string | undefined, slot: string | undefined): void {
    if (this.#target?.address === address && this.#target?.slot === slot) return;
    this.#target = address === undefined ? undefined : { address, slot };
    if (this.#server.state === 'recovery') this.#restart();
  }

  #restart(): void {
    this.stop();
    this.#step(this.#serial);
  }

  /** The other end learns of it where a packet gets there, and else by the silence. */
  #disconnect(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    const { host } = this.#server;
    const { source, sender } = connection;
    const told = host.up && host.world.network.connects(host.address, source.host.address);
    source.process.after(told ? 1 : SILENCE_MILLIS, () => {
      source.disconnected(sender);
    });
  }

  #step(serial: number): void {
    if (serial !== this.#serial || this.#server.state !== 'recovery') return;
    const before = this.#connection;
    if (before === undefined) this.#connect();
    else this.#stream(before, serial);
    const source = this.#connection?.source;
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
    this.#cancelStep = this.#server.process.after(pause, () => {
      this.#step(serial);
      return QUIET;
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
    const target = this.#target;
    if (target === undefined) return;
    const source = findServer(host, target.address);
    // target_session_attrs=primary: a standby passes nothing on.
    if (source?.serving !== true || source.state !== 'primary') return;
    const own = this.#server.disk();
    const theirs = source.disk();
    if (theirs.systemIdentifier !== own.systemIdentifier) return;
    if (theirs.branch.timeline < own.branch.timeline) return;
    // It fetches the newer history files before it looks whether it can follow them.
    this.#server.update({
      highestTimeline: Math.max(own.highestTimeline, theirs.branch.timeline),
    });
    const left = leftByNumber(own.branch.timeline, theirs.branch);
    if (left === undefined) return;
    if (own.end > (left === 'current' ? theirs.end : left)) return;
    // The log that it asks for has been removed, or there is no slot of that name.
    if (own.end < theirs.oldestWal) return;
    const { replication } = source;
    replication.sendAll();
    if (target.slot !== undefined) {
      if (replication.slot(target.slot) === undefined || replication.isActive(target.slot)) return;
    }
    const isOpen = (): boolean => this.#connection?.sender === sender;
    const isReset = (): boolean =>
      !isOpen() && host.up && host.world.network.connects(host.address, source.host.address);
    const sender: Sender = replication.connect({
      name: host.name,
      address: host.address,
      slot: target.slot,
      isOpen,
      isReset,
    });
    this.#connection = { source, pid: source.pid, sender };
    this.#heardAt = host.world.now;
    host.world.trace(host.address, `streams from ${source.host.address}`);
  }

  #stream(connection: Connection, serial: number): void {
    const { source, pid, sender } = connection;
    const { world, address } = this.#server.host;
    const silent =
      !source.host.up ||
      source.process.frozen ||
      !world.network.connects(address, source.host.address);
    if (silent) {
      if (world.now - this.#heardAt > SILENCE_MILLIS) this.#disconnect();
      return;
    }
    const ended = source.pid !== pid || source.state === 'down';
    if (ended || !source.replication.has(sender)) {
      this.#connection = undefined;
      return;
    }
    this.#heardAt = world.now;
    const sent = source.position();
    if (sent === undefined) return;
    if (!this.#lacks(source)) {
      if (sender.flush !== sent.end) this.#report(sent.end, connection);
      return;
    }
    world.network.send(source.host.address, address, () =>
      this.#server.process.run(() => {
        if (serial !== this.#serial || this.#connection !== connection) return QUIET;
        this.#take(sent, connection);
        if (!this.#idle && !this.#lacks(source)) this.#rest();
        return QUIET;
      }),
    );
  }

  #take(sent: Position, connection: Connection): void {
    const own = this.#server.disk();
    if (sent.end < own.end) return;
    const { source } = connection;
    const { world, address } = this.#server.host;
    if (!isPartOf({ branch: own.branch, end: own.end }, sent)) {
      world.violation(
        'E',
        `${address} (branch ${own.branch.serial}, ${own.end}) streams from ${source.host.address} (branch ${sent.branch.serial}, ${sent.end}), whose history it does not share`,
      );
      return;
    }
    this.received = sent.end;
    if (sent.end !== own.end || sent.branch !== own.branch) {
      this.#server.update({
        branch: sent.branch,
        end: sent.end,
        highestTimeline: Math.max(own.highestTimeline, sent.branch.timeline),
        backupLabel: false,
      });
    }
    this.#report(sent.end, connection);
  }

  /** Says how far it has flushed; a report that gets lost is followed by the next. */
  #report(flush: Lsn, { source, pid, sender }: Connection): void {
    const { world, address } = this.#server.host;
    world.network.send(address, source.host.address, () =>
      source.process.run(() => {
        if (source.pid === pid && source.replication.has(sender)) source.reported(sender, flush);
        return QUIET;
      }),
    );
  }
}

/** The server at an address, when packets get there and back. */
export function findServer(host: Machine, address: string): Server | undefined {
  if (address === host.address) return undefined;
  const there = host.world.hosts.find((other) => other.address === address);
  if (there === undefined) return undefined;
  return host.world.network.connects(host.address, address) ? there.postgres : undefined;
}
