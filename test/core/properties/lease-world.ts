import { ABSENT, EMPTY_CLUSTER, indexOf } from '../../../src/core/cluster.ts';
import type { ClusterRecord, Lease } from '../../../src/core/cluster.ts';
import { castVote, countPromises, EMPTY_BALLOT, onTerms } from '../../../src/core/ballot.ts';
import { NO_LIST, promiseTtlMillis } from '../../../src/core/failsafe.ts';
import {
  adoptLease,
  confirmBeat,
  readAsHolder,
  sendBeat,
  waitMillis,
  winLease,
} from '../../../src/core/lease.ts';
import type { HeldLease } from '../../../src/core/lease.ts';
import { LSN_ZERO } from '../../../src/core/lsn.ts';
import { leaseOverAt, observeLease } from '../../../src/core/observation.ts';
import type { Observation } from '../../../src/core/observation.ts';
import { mayGoAloneAt } from '../../../src/core/reach.ts';
import { judgePromise } from '../../../src/core/promise.ts';
import type { Promised } from '../../../src/core/promise.ts';
import { instant, plus } from '../../../src/core/time.ts';
import type { Millis } from '../../../src/core/time.ts';
import { NO_HOST_MEMORY } from '../../../src/ports/host-state.ts';

/**
 * One holder, its followers, and a store that answers late, twice wrongly or not at all. Time is the
 * holder's own; a follower's clock runs up to 1 % faster or slower. A follower reads whatever is
 * committed at the very moment it is committed: later would only be safer.
 */
export type Step =
  | { readonly kind: 'pass'; readonly millis: Millis }
  | {
      readonly kind: 'beat';
      readonly ttlMillis: Millis;
      readonly reachMillis: Millis;
      readonly fate: Fate;
      readonly thereMillis: Millis;
      readonly backMillis: Millis;
    }
  /** A beat whose answer was given up is done by the store after all, if it still can be. */
  | { readonly kind: 'straggle'; readonly which: number }
  | { readonly kind: 'ask'; readonly travels: readonly Travel[]; readonly rounds: number }
  | { readonly kind: 'restart-follower'; readonly which: number }
  | { readonly kind: 'restart-holder' };

/** What becomes of a beat: done and answered, done without an answer, lost, or held up somewhere. */
export type Fate = 'answered' | 'unanswered' | 'lost' | 'held-up';
/** How long a question takes there and its answer back; undefined: lost. */
export interface Travel {
  readonly thereMillis: Millis | undefined;
  readonly backMillis: Millis | undefined;
}

interface Follower {
  readonly name: string;
  readonly rate: number;
  startedAt: number;
  observation: Observation | undefined;
  promised: Promised | undefined;
}

const ID = 'a1';
const CONFIGURED_TTL_MILLIS = 500;
const FIRST_TTL_MILLIS = 3000;
const ROUND_MILLIS = 400;

export class LeaseWorld {
  now = 100_000;
  held: HeldLease;
  /** An end that had passed was moved. */
  revived = false;
  readonly #followers: readonly Follower[];
  #incarnation = 'one';
  #record: ClusterRecord;
  #pending: { readonly lease: Lease; readonly index: number }[] = [];
  #ballot = EMPTY_BALLOT;

  constructor(rates: readonly number[]) {
    this.#followers = rates.map((rate, at) => ({
      name: `follower-${at}`,
      rate,
      startedAt: 0,
      observation: undefined,
      promised: undefined,
    }));
    this.held = winLease(ID, 1, instant(this.now), FIRST_TTL_MILLIS, { generation: 5, lease: 6 });
    const lease = { ...this.#lease(0, FIRST_TTL_MILLIS) };
    this.#record = {
      ...EMPTY_CLUSTER,
      generation: {
        kind: 'present',
        index: 5,
        value: { n: 1, id: ID, holder: 'holder', timeline: 1, switchLsn: LSN_ZERO, ancestors: [] },
      },
      lease: { kind: 'present', index: 6, value: lease },
      leader: ABSENT,
    };
    this.#everyoneReads();
  }

  get ends(): number {
    return this.held.end;
  }

  /** The first moment at which somebody else could lead, if nothing more happened. */
  get othersFrom(): number {
    return Math.min(...this.#followers.map((follower) => this.#mayLeadFrom(follower)));
  }

  take(step: Step): void {
    if (this.now >= this.held.end) return;
    switch (step.kind) {
      case 'pass':
        this.now += step.millis;
        return;
      case 'beat':
        return this.#beat(step);
      case 'straggle':
        return this.#straggle(step.which);
      case 'ask':
        return this.#askInRounds(step);
      case 'restart-follower':
        return this.#restartFollower(step.which);
      case 'restart-holder':
        return this.#restartHolder();
    }
  }

  #hold(held: HeldLease): void {
    if (this.now >= this.held.end && held.end > this.held.end) this.revived = true;
    this.held = held;
  }

  #lease(beat: number, ttlMillis: Millis): Lease {
    return { id: ID, n: 1, incarnation: this.#incarnation, beat, ttlMillis, released: undefined };
  }

  #clockOf(follower: Follower): ReturnType<typeof instant> {
    return instant(this.now * follower.rate);
  }

  /** In the holder's time: alone, or when so many are free of promises that the rest are no majority. */
  #mayLeadFrom(follower: Follower): number {
    const { observation, promised, rate } = follower;
    if (observation === undefined) return Number.POSITIVE_INFINITY;
    const over = leaseOverAt(observation, this.#record, false);
    const free = Math.max(over, promised?.until ?? 0) / rate;
    const alone = mayGoAloneAt(
      { promised, host: NO_HOST_MEMORY, newestBeat: undefined },
      observation,
      this.#record,
    );
    const others = this.#followers.filter((other) => other !== follower);
    const needed = Math.ceil((this.#followers.length + 1) / 2) - 1;
    const frees = others.map((other) => this.#freeFrom(other)).sort((a, b) => a - b);
    const borneOut = needed === 0 ? free : Math.max(free, frees[needed - 1] ?? Infinity);
    return Math.min(Math.max(free, alone / rate), borneOut);
  }

  #freeFrom({ observation, promised, startedAt, rate }: Follower): number {
    if (observation === undefined) return Number.POSITIVE_INFINITY;
    const forgotten = startedAt + waitMillis(observation.largestTtlMillis);
    return Math.max(forgotten, promised?.until ?? 0) / rate;
  }

  #everyoneReads(): void {
    for (const follower of this.#followers) {
      follower.observation = observeLease(
        follower.observation,
        this.#record,
        this.#clockOf(follower),
        CONFIGURED_TTL_MILLIS,
      );
    }
  }

  #commit(lease: Lease, index: number): boolean {
    if (indexOf(this.#record.lease) !== index) return false;
    this.#record = { ...this.#record, lease: { kind: 'present', index: index + 1, value: lease } };
    this.#everyoneReads();
    return true;
  }

  #read(): void {
    const reading = readAsHolder(this.held, this.#record, this.#incarnation, instant(this.now));
    if (reading.kind !== 'mine') throw new Error(`a holder that is alone reads "${reading.kind}"`);
    this.#hold(reading.held);
  }

  #beat(step: Step & { readonly kind: 'beat' }): void {
    if (this.held.leaseIndex === undefined) this.#read();
    const index = this.held.leaseIndex;
    if (index === undefined) throw new Error('a read tells the index');
    const sent = sendBeat(
      this.held,
      instant(this.now),
      { ttlMillis: step.ttlMillis, reachMillis: Math.max(step.ttlMillis, step.reachMillis) },
      this.#incarnation,
    );
    this.#hold(sent.held);
    this.now += step.thereMillis;
    const done = step.fate === 'answered' || step.fate === 'unanswered';
    const committed = done && this.#commit(sent.lease, index);
    if (step.fate === 'held-up') this.#pending.push({ lease: sent.lease, index });
    this.now += step.backMillis;
    const answered = committed && step.fate === 'answered';
    const before = { ...this.held, leaseIndex: answered ? index + 1 : undefined };
    this.#hold(answered ? confirmBeat(before, sent.lease.beat, instant(this.now)) : before);
  }

  #straggle(which: number): void {
    const [straggler] = this.#pending.splice(which % Math.max(1, this.#pending.length), 1);
    if (straggler !== undefined) this.#commit(straggler.lease, straggler.index);
  }

  /** As long as the lease is valid, and until it is not waited for any longer. */
  #askInRounds({ travels, rounds }: Step & { readonly kind: 'ask' }): void {
    for (let round = 0; round < rounds && this.now < this.held.end; round += 1) {
      const sentAt = this.now;
      this.#ask(travels);
      this.now = Math.max(this.now, sentAt + ROUND_MILLIS);
    }
  }

  #ask(travels: readonly Travel[]): void {
    const ttlMillis = promiseTtlMillis(this.held);
    const sentAt = this.now;
    this.#ballot = onTerms(this.held, this.#ballot);
    let last = sentAt;
    for (const [at, follower] of this.#followers.entries()) {
      const travel = travels[at % travels.length];
      if (travel?.thereMillis === undefined) continue;
      this.now = sentAt + travel.thereMillis;
      const promised = this.#promiseOf(follower, ttlMillis);
      if (!promised || travel.backMillis === undefined) continue;
      last = Math.max(last, this.now + travel.backMillis);
      const boundUntil = plus(instant(sentAt), ttlMillis);
      this.#ballot = castVote(this.#ballot, follower.name, boundUntil, true);
    }
    this.now = last;
    const names = ['holder', ...this.#followers.map(({ name }) => name)];
    const confirmed = Object.fromEntries(names.map((name) => [name, name]));
    const list = { ...NO_LIST, confirmed };
    const count = countPromises(
      this.held,
      this.#ballot,
      list,
      'holder',
      instant(sentAt),
      instant(this.now),
    );
    this.#ballot = count.ballot;
    this.#hold(count.extended);
  }

  #promiseOf(follower: Follower, ttlMillis: Millis): boolean {
    const verdict = judgePromise(
      {
        now: this.#clockOf(follower),
        startedAt: instant(follower.startedAt),
        holdsLeaseId: undefined,
        takeoverUnresolved: false,
        floor: { n: 1, id: ID },
        promised: follower.promised,
        record: this.#record,
      },
      {
        leaseId: ID,
        n: 1,
        ttlMillis,
        reachMillis: Math.max(ttlMillis, this.held.reachMillis ?? 0),
      },
    );
    if (verdict.kind === 'promised') follower.promised = verdict.promised;
    return verdict.kind === 'promised';
  }

  #restartFollower(which: number): void {
    const follower = this.#followers[which % this.#followers.length];
    if (follower === undefined) return;
    follower.startedAt = this.#clockOf(follower);
    follower.observation = undefined;
    follower.promised = undefined;
    this.#everyoneReads();
  }

  /** The next process finds what the guardian was told last; requests of the one before may still be done. */
  #restartHolder(): void {
    this.held = adoptLease(ID, 1, this.held.end, promiseTtlMillis(this.held), instant(this.now));
    this.#incarnation += "'";
    this.#ballot = EMPTY_BALLOT;
  }
}
