import type { Lsn } from '../../src/core/lsn.ts';
import { parseSyncNames } from '../../src/core/sync-names.ts';
import type { SyncNames } from '../../src/core/sync-names.ts';

/** One standby as its upstream sees it. */
export interface Sender {
  /** application_name: the name of the member. */
  readonly name: string;
  readonly address: string;
  readonly slot: string | undefined;
  /** Whether its other end would answer a packet with a reset, as one that knows nothing of it does. */
  readonly isReset: () => boolean;
  /** Whether the standby still has this connection, whatever the upstream knows of it. */
  readonly isOpen: () => boolean;
  /** As last reported over the network. */
  flush: Lsn | undefined;
  /** It has once had all there was: no catching up any more. */
  streaming: boolean;
}

/**
 * Who counts for a commit, as PostgreSQL's syncrep.c picks them: only standbys that stream and have
 * said how far they have flushed.
 */

const matches = (listed: string, name: string): boolean =>
  listed === '*' || listed.toLowerCase() === name.toLowerCase();

/** Position in the list from 1; 0: not listed. */
export function priorityOf(names: SyncNames, name: string): number {
  if (names.kind === 'none') return 0;
  return names.names.findIndex((listed) => matches(listed, name)) + 1;
}

interface Candidate {
  readonly sender: Sender;
  readonly flush: Lsn;
  readonly priority: number;
}

/** In the order of the list, and of connecting where that is the same. */
function candidates(names: SyncNames, senders: readonly Sender[]): readonly Candidate[] {
  return senders
    .flatMap((sender): Candidate[] => {
      const priority = priorityOf(names, sender.name);
      const { flush } = sender;
      return priority > 0 && sender.streaming && flush !== undefined
        ? [{ sender, flush, priority }]
        : [];
    })
    .toSorted((a, b) => a.priority - b.priority);
}

/** Those of the `FIRST n` that a commit waits for. */
export function chosen(names: SyncNames, senders: readonly Sender[]): ReadonlySet<Sender> {
  if (names.kind !== 'first') return new Set();
  return new Set(
    candidates(names, senders)
      .slice(0, names.count)
      .map(({ sender }) => sender),
  );
}

/** Up to where enough standbys have the log; undefined: not enough of them stream. */
function confirmed(names: SyncNames, senders: readonly Sender[]): Lsn | undefined {
  if (names.kind === 'none') return undefined;
  const able = candidates(names, senders);
  if (able.length < names.count) return undefined;
  const counting = names.kind === 'first' ? able.slice(0, names.count) : able;
  const flushed = counting.map(({ flush }) => flush).toSorted((a, b) => (a > b ? -1 : 1));
  return flushed[names.count - 1];
}

/** `lost`: whether it was committed is not known to the client, and it is not told that it was. */
type CommitAnswer = 'acknowledged' | 'lost';

export interface Waiting {
  readonly end: Lsn;
  readonly answer: (answer: CommitAnswer, end: Lsn) => void;
}

/** The commits of one server that wait for standbys, and the setting that they wait by. */
export class SyncCommits {
  #names: SyncNames = { kind: 'none' };
  #waiting: Waiting[] = [];
  #held = false;
  #letGo: (() => void)[] = [];
  /** End of the newest transaction that others on this server can see. */
  #visible: Lsn | undefined;

  get names(): SyncNames {
    return this.#names;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** A value that does not parse is refused by the server, which keeps the one it has. */
  configure(text: string, senders: readonly Sender[]): void {
    const names = parseSyncNames(text);
    if (names === undefined) return;
    this.#names = names;
    this.release(senders);
  }

  get isHeld(): boolean {
    return this.#held;
  }

  /** The commit brake, as the checkpointer has taken notice of it. */
  hold(held: boolean, senders: readonly Sender[]): void {
    this.#held = held;
    if (held) return;
    this.release(senders);
    this.#tellLetGo();
  }

  onLetGo(callback: () => void): void {
    this.#letGo.push(callback);
  }

  #tellLetGo(): void {
    const told = this.#letGo;
    this.#letGo = [];
    for (const callback of told) callback();
  }

  /** Answers at once where nothing has to be waited for. */
  add(commit: Waiting, senders: readonly Sender[]): void {
    this.#waiting.push(commit);
    this.release(senders);
  }

  release(senders: readonly Sender[]): void {
    if (this.#held || this.#waiting.length === 0) return;
    const limit = confirmed(this.#names, senders);
    const free = this.#waiting.filter(
      ({ end }) => this.#names.kind === 'none' || (limit !== undefined && end <= limit),
    );
    if (free.length === 0) return;
    this.#waiting = this.#waiting.filter((commit) => !free.includes(commit));
    for (const commit of free) {
      this.#see(commit.end);
      commit.answer('acknowledged', commit.end);
    }
  }

  /** The client gave up: the commit is local, and visible. */
  cancel(commit: Waiting): void {
    if (!this.#waiting.includes(commit)) return;
    this.#waiting = this.#waiting.filter((other) => other !== commit);
    this.#see(commit.end);
    commit.answer('lost', commit.end);
  }

  /** Every client loses its connection. */
  disconnect(): void {
    const gone = this.#waiting;
    this.#waiting = [];
    for (const { answer, end } of gone) answer('lost', end);
    this.#tellLetGo();
  }

  /** What is in the log at a start was committed, waited for or not. */
  started(end: Lsn): void {
    this.#visible = end;
  }

  visible(end: Lsn): Lsn {
    return this.#waiting.length === 0 ? end : (this.#visible ?? end);
  }

  #see(end: Lsn): void {
    if (this.#visible === undefined || end > this.#visible) this.#visible = end;
  }
}
