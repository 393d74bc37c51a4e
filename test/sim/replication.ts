import type { Lsn } from '../../src/core/lsn.ts';
import type { ReplicationRow } from '../../src/core/postgres.ts';
import { chosen, priorityOf } from './sync-commits.ts';
import type { Sender } from './sync-commits.ts';
import type { SyncNames } from '../../src/core/sync-names.ts';

export interface Slot {
  readonly name: string;
  /** Log from here on is kept; undefined: it has never been used. */
  restartLsn: Lsn | undefined;
  lost: boolean;
}

/** The sending side of one server: its connections, its slots, and what they keep from being recycled. */
export class Replication {
  #senders: Sender[] = [];
  readonly #slots = new Map<string, Slot>();

  get senders(): readonly Sender[] {
    return this.#senders;
  }

  get slots(): readonly Slot[] {
    return [...this.#slots.values()];
  }

  slot(name: string): Slot | undefined {
    return this.#slots.get(name);
  }

  isActive(slot: string): boolean {
    return this.#senders.some((sender) => sender.slot === slot);
  }

  connect(given: Omit<Sender, 'flush' | 'streaming'>): Sender {
    const sender: Sender = { ...given, flush: undefined, streaming: false };
    this.#senders.push(sender);
    return sender;
  }

  has(sender: Sender): boolean {
    return this.#senders.includes(sender);
  }

  disconnect(sender: Sender): void {
    this.#senders = this.#senders.filter((other) => other !== sender);
  }

  /** Something was sent to every standby: what its other end no longer knows ends now. */
  sendAll(): void {
    this.#senders = this.#senders.filter((sender) => !sender.isReset());
  }

  disconnectAll(): void {
    this.#senders = [];
  }

  report(sender: Sender, flush: Lsn, end: Lsn): void {
    if (sender.flush === undefined || flush > sender.flush) sender.flush = flush;
    if (flush >= end) sender.streaming = true;
    const slot = sender.slot === undefined ? undefined : this.#slots.get(sender.slot);
    if (slot !== undefined && (slot.restartLsn === undefined || flush > slot.restartLsn))
      slot.restartLsn = flush;
  }

  /** Slots hold log from the moment they are made; those that lost it are made anew. */
  reconcile(wanted: readonly string[], mayDrop: readonly string[], end: Lsn): void {
    for (const name of wanted) {
      const known = this.#slots.get(name);
      if (known === undefined || (known.lost && !this.isActive(name)))
        this.#slots.set(name, { name, restartLsn: end, lost: false });
    }
    for (const name of mayDrop) {
      if (!wanted.includes(name) && !this.isActive(name)) this.#slots.delete(name);
    }
  }

  /** A data directory that was replaced has none: pg_basebackup and pg_rewind leave them out. */
  forgetSlots(): void {
    this.#slots.clear();
  }

  /** The oldest log that a slot still needs. */
  held(): Lsn | undefined {
    return this.slots
      .flatMap(({ restartLsn, lost }) => (restartLsn === undefined || lost ? [] : [restartLsn]))
      .reduce<Lsn | undefined>(
        (least, at) => (least === undefined || at < least ? at : least),
        undefined,
      );
  }

  /** pg_stat_replication. */
  rows(names: SyncNames, end: Lsn): readonly ReplicationRow[] {
    const waitedFor = chosen(names, this.#senders);
    return this.#senders.map((sender) => {
      const syncPriority = sender.streaming ? priorityOf(names, sender.name) : 0;
      return {
        username: 'replicator',
        applicationName: sender.name,
        clientAddress: sender.address,
        state: sender.streaming ? 'streaming' : 'catchup',
        syncState: syncStateOf(names, syncPriority, waitedFor.has(sender)),
        syncPriority: names.kind === 'any' ? Math.min(syncPriority, 1) : syncPriority,
        sentLsn: end,
        flushLsn: sender.flush,
        replayLsn: sender.flush,
      };
    });
  }
}

function syncStateOf(names: SyncNames, priority: number, waitedFor: boolean): string {
  if (priority === 0) return 'async';
  if (names.kind === 'any') return 'quorum';
  return waitedFor ? 'sync' : 'potential';
}
