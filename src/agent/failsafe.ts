import { indexOf, valueOf } from '../core/cluster.ts';
import {
  ASK_MILLIS,
  beatOverdueAt,
  confirmList,
  needsPromises,
  NO_LIST,
  notePresence,
  promiseTtlMillis,
  sameList,
  votersOf,
  wantedList,
} from '../core/failsafe.ts';
import { castVote, countPromises, EMPTY_BALLOT, onTerms } from '../core/ballot.ts';
import type { Ballot } from '../core/ballot.ts';
import type { FailsafeList, ListState } from '../core/failsafe.ts';
import type { BeatTerms, HeldLease } from '../core/lease.ts';
import { clusterIdentifier } from '../core/facts.ts';
import { judgePromise } from '../core/promise.ts';
import type { Instant, Millis } from '../core/time.ts';
import { beatTerms, manyPresent } from '../core/reach.ts';
import { plus, since } from '../core/time.ts';
import type { Change } from '../ports/cluster-store.ts';
import type { PromiseReply, PromiseRequest } from '../ports/peers.ts';
import {
  confirmTimeline,
  learnTimeline,
  promotedTimeline,
  raiseFloor,
  updateHost,
} from './host-memory.ts';
import { Pacer } from './pacer.ts';
import type { AgentState } from './state.ts';
import { StoreCheck } from './store-check.ts';

const ROUND_MILLIS: Millis = 300;
/** Lists that may be in effect; more than were ever sent between two confirmed beats. */
const LISTS_KEPT = 16;

/**
 * While heartbeats go unanswered, every listed member is asked to promise not to take over; all of
 * them together extend the lease. A Consul outage then costs nothing, as long as they all answer; most
 * of them carry it over an election of Consul's.
 */
export class Failsafe {
  readonly #state: AgentState;
  readonly #extend: (held: HeldLease) => void;
  readonly #hasten: () => void;
  readonly #pacer: Pacer;
  /** The voter's own look at Consul. */
  readonly #asks: StoreCheck;
  #list: ListState = NO_LIST;
  #ballot: Ballot = EMPTY_BALLOT;
  #asked = new Map<string, string>();
  readonly #vouched = new Set<string>();
  #leaseId: string | undefined;
  #request = 0;
  /** When the own generation was last written back into a store that had lost it. */
  #assertedAt: Instant | undefined;
  #activeSince: Instant | undefined;

  /** `hasten`: the next beat is to be sent now, for it has somebody to list. */
  constructor(state: AgentState, extend: (held: HeldLease) => void, hasten: () => void) {
    this.#state = state;
    this.#extend = extend;
    this.#hasten = hasten;
    this.#pacer = new Pacer(state.ports.clock, async () => this.#round());
    this.#asks = new StoreCheck(state);
  }

  /** Promises carry the lease right now. */
  active(): boolean {
    return this.#activeSince !== undefined;
  }

  /** A lease begins: with the list that is in effect, as far as it is known. */
  begin(leaseId: string, confirmed: FailsafeList | undefined): void {
    this.#leaseId = leaseId;
    this.#list =
      confirmed === undefined ? NO_LIST : confirmList(NO_LIST, confirmed, this.#state.now());
    this.#ballot = EMPTY_BALLOT;
    this.#asked.clear();
    this.#vouched.clear();
    this.#assertedAt = undefined;
    this.#activeSince = undefined;
    this.#pacer.poke();
  }

  /**
   * What a read showed to be in effect; lists that were sent stay open until a later beat counts. A
   * list that is missing frees nobody from being asked: the one before stays.
   */
  noteRead(confirmed: FailsafeList | undefined): void {
    if (confirmed === undefined) return;
    const before = this.#list.confirmed;
    this.#list = confirmList(this.#list, confirmed, this.#state.now());
    // A beat of before the agent restarted may still be under way, with the list that it carried.
    if (before !== undefined && !sameList(before, confirmed)) {
      this.#list = { ...this.#list, sent: [...this.#list.sent, before].slice(-LISTS_KEPT) };
    }
  }

  /** The list for the next beat, when it differs or is unsettled; noted as sent. */
  changeToSend(): { readonly changes: readonly Change[]; readonly list: FailsafeList | undefined } {
    const { settings } = this.#state.ports;
    const { member, policy } = settings.current();
    const record = this.#state.cluster?.value;
    if (!policy.failsafe) {
      const exists = record !== undefined && indexOf(record.failsafe) !== 0;
      this.#list = { ...this.#list, confirmed: undefined };
      return { changes: exists ? [{ kind: 'delete', key: 'failsafe' }] : [], list: undefined };
    }
    if (record === undefined) return { changes: [], list: undefined };
    const now = this.#state.now();
    this.#list = notePresence(this.#list, record.members, now);
    const wanted = wantedList(this.#list, record.members, member, now);
    const settled = this.#list.sent.length === 0 && sameList(this.#list.confirmed, wanted);
    const held = this.#state.held;
    if (settled && held?.amnesia !== true) return { changes: [], list: undefined };
    this.#list = { ...this.#list, sent: [...this.#list.sent, wanted].slice(-LISTS_KEPT) };
    return { changes: [{ kind: 'set', entry: { key: 'failsafe', value: wanted } }], list: wanted };
  }

  /** A beat is confirmed: no earlier one can commit any more. */
  beatConfirmed(list: FailsafeList | undefined, amnesia: boolean): void {
    this.#list = { ...this.#list, sent: [] };
    if (list !== undefined) this.#list = confirmList(this.#list, list, this.#state.now());
    if (amnesia) this.#assertedAt ??= this.#state.now();
    else if (this.#activeSince !== undefined) {
      this.#state.ports.logger.log('info', 'Consul acknowledges heartbeats again', {
        for_ms: Math.round(since(this.#activeSince, this.#state.now())),
      });
      this.#activeSince = undefined;
    }
  }

  /** Looks at once whether promises are needed. */
  poke(): void {
    this.#pacer.poke();
  }

  stop(): void {
    this.#pacer.stop();
  }

  async #round(): Promise<Millis | undefined> {
    const held = this.#state.held;
    if (held === undefined || !this.#state.ports.settings.current().policy.failsafe)
      return undefined;
    if (!needsPromises(held, this.#state.now())) {
      if (this.#lacksSomebody()) this.#hasten();
      return this.#untilOverdue(held);
    }
    if (this.#list.confirmed === undefined || !this.#isFounded()) return ROUND_MILLIS / 3;
    this.#request += 1;
    const sentAt = this.#state.now();
    this.#ballot = onTerms(held, this.#ballot);
    const voters = votersOf(this.#list, this.#state.ports.settings.current().member.name);
    await Promise.all(
      Object.entries(voters).map(async ([name, apiUrl]) => this.#ask(held, name, apiUrl, sentAt)),
    );
    this.#count(sentAt);
    return Math.max(0, ROUND_MILLIS - since(sentAt, this.#state.now()));
  }

  /** Looked at again when the heartbeat that is under way becomes overdue, to the millisecond. */
  #untilOverdue(held: HeldLease): Millis {
    const overdueAt = beatOverdueAt(held);
    const leftMillis = overdueAt === undefined ? Infinity : since(this.#state.now(), overdueAt) + 1;
    return Math.min(ROUND_MILLIS / 3, Math.max(1, leftMillis));
  }

  /** A member has come that may not take over before it is listed, and nothing sent has named it yet. */
  #lacksSomebody(): boolean {
    const record = this.#state.cluster?.value;
    const { confirmed, sent } = this.#list;
    if (record === undefined || confirmed === undefined || sent.length > 0) return false;
    const { member } = this.#state.ports.settings.current();
    const wanted = wantedList(this.#list, record.members, member, this.#state.now());
    return Object.entries(wanted).some(([name, apiUrl]) => confirmed[name] !== apiUrl);
  }

  /** Until the cluster is recorded, others may found it in this member's place without being listed. */
  #isFounded(): boolean {
    // A process that was started while Consul is away has read nothing yet; the host remembers.
    const { host } = this.#state;
    const belongs = host.systemIdentifier !== undefined && host.founding === undefined;
    return belongs || clusterIdentifier(this.#state.view()) !== undefined;
  }

  async #ask(held: HeldLease, name: string, apiUrl: string, sentAt: Instant): Promise<void> {
    const { peers, settings } = this.#state.ports;
    const { member } = settings.current();
    this.#asked.set(name, apiUrl);
    const request: PromiseRequest = {
      scope: member.scope,
      name: member.name,
      leaseId: held.id,
      n: held.n,
      timeline: promotedTimeline(this.#state),
      ttlMillis: promiseTtlMillis(held),
      reachMillis: Math.max(promiseTtlMillis(held), held.reachMillis ?? 0),
      request: this.#request,
      connUrl: member.connUrl,
      apiUrl: member.apiUrl,
      slots: {},
    };
    const answer = await peers.promise({ name, apiUrl }, request, ASK_MILLIS);
    if (!answer.ok || answer.value.kind !== 'promised') return;
    const promise = answer.value;
    if (promise.name !== name || promise.leaseId !== held.id || promise.request !== request.request)
      return;
    if (this.#leaseId !== held.id) return;
    // After amnesia only a voter that has seen the written-back generation vouches for the store.
    const vouches = !held.amnesia || promise.seenLeaseId === held.id;
    if (held.amnesia && this.#assertedAt !== undefined && sentAt >= this.#assertedAt && vouches) {
      this.#vouched.add(name);
    }
    const boundUntil = plus(sentAt, request.ttlMillis);
    this.#ballot = castVote(this.#ballot, name, boundUntil, promise.storeSilent);
  }

  #count(sentAt: Instant): void {
    const state = this.#state;
    const held = state.held;
    if (held === undefined || held.id !== this.#leaseId) return;
    const self = state.ports.settings.current().member.name;
    const count = countPromises(held, this.#ballot, this.#list, self, sentAt, state.now());
    const { renewed, extended } = count;
    this.#ballot = count.ballot;
    const voters = Object.keys(votersOf(this.#list, self));
    const healed =
      count.isUnanimous &&
      held.amnesia &&
      this.#assertedAt !== undefined &&
      voters.every((name) => this.#vouched.has(name));
    if (healed) {
      this.#vouched.clear();
      this.#assertedAt = undefined;
      state.ports.logger.log('info', 'all members have seen the generation that was written back', {
        generation: held.n,
      });
    }
    if (extended.end > held.end && this.#activeSince === undefined) {
      this.#activate(voters, renewed.end > held.end);
    }
    this.#extend(healed ? { ...extended, amnesia: false } : extended);
  }

  #activate(voters: readonly string[], unanimous: boolean): void {
    const { logger, meter } = this.#state.ports;
    this.#activeSince = this.#state.now();
    const { votes } = this.#ballot;
    const members = voters.filter((name) => (votes[name] ?? 0) > this.#state.now());
    const whose = unanimous ? 'all' : 'most';
    logger.log('warn', `Consul does not acknowledge; ${whose} members promised to hold back`, {
      members,
      silent: voters.filter((name) => !members.includes(name)),
    });
    meter.count('failsafe_activations_total');
  }

  /** This lease is no more: nothing is carried by promises, whoever is released from them. */
  end(): void {
    this.#activeSince = undefined;
  }

  /** What the next beat is to say of the lease. */
  beatTerms(paused: boolean): BeatTerms {
    const { member, policy } = this.#state.ports.settings.current();
    const members = this.#state.cluster?.value.members ?? [];
    const present = manyPresent(this.#list.confirmed, members, member.name);
    return beatTerms(policy, { paused, manyPresent: present });
  }

  /** Everyone who may have to promise, for the record that an agent after this one adopts. */
  voters(): FailsafeList {
    return votersOf(this.#list, this.#state.ports.settings.current().member.name);
  }

  /** The lease is over and Postgres proved down: those who promised are free. */
  withdraw(leaseId: string): void {
    this.#activeSince = undefined;
    const asked = [...this.#asked];
    this.#asked.clear();
    if (leaseId !== this.#leaseId) return;
    for (const [name, apiUrl] of asked) {
      void this.#state.ports.peers.withdraw({ name, apiUrl }, leaseId, ASK_MILLIS * 4);
    }
  }

  /** The voter's side. */
  promise(request: PromiseRequest): PromiseReply {
    const state = this.#state;
    if (!state.ports.settings.current().policy.failsafe) {
      return { kind: 'refused', why: 'failsafe_mode is not enabled' };
    }
    const verdict = judgePromise(
      {
        now: state.now(),
        startedAt: state.startedAt,
        holdsLeaseId: state.held?.id,
        takeoverUnresolved: state.takeover !== undefined,
        floor: state.host.floor,
        promised: state.promised,
        record: state.cluster?.value,
      },
      request,
    );
    if (request.n >= state.host.floor.n) learnTimeline(state, request);
    if (verdict.kind === 'refused') return verdict;
    state.promised = verdict.promised;
    this.#asks.ask();
    void updateHost(state, raiseFloor(request.n, request.leaseId));
    confirmTimeline(state, request.leaseId, request.n, state.now());
    const record = state.cluster?.value;
    return {
      kind: 'promised',
      name: state.ports.settings.current().member.name,
      incarnation: state.incarnation,
      leaseId: request.leaseId,
      request: request.request,
      seenLeaseId: record === undefined ? undefined : valueOf(record.generation)?.id,
      storeSilent: this.#asks.isSilent(),
    };
  }

  withdrawn(leaseId: string): void {
    if (this.#state.promised?.leaseId !== leaseId) return;
    this.#state.promised = undefined;
    this.#state.changed();
  }
}
