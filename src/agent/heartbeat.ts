import type { Generation } from '../core/cluster.ts';
import { valueOf } from '../core/cluster.ts';
import {
  adoptLease,
  confirmBeat,
  isOver,
  readAsHolder,
  sendBeat,
  takeBackBeat,
  supersededBy,
} from '../core/lease.ts';
import type { HeldLease } from '../core/lease.ts';
import type { Lsn } from '../core/lsn.ts';
import { wantsPausedLease } from '../core/pause.ts';
import { plus, since } from '../core/time.ts';
import type { Instant, Millis } from '../core/time.ts';
import type { WriteAnswer } from '../ports/cluster-store.ts';
import type { ArmedLease } from '../ports/guardian.ts';
import { listOfArmed, pauseOf } from './armed-lease.ts';
import { Arming } from './arming.ts';
import { buildBeat, withTheLost } from './beat.ts';
import { Failsafe } from './failsafe.ts';
import { promiseTtlMillis } from '../core/failsafe.ts';
import type { FailsafeList } from '../core/failsafe.ts';
import type { Fencing } from './fencing.ts';
import { ingest, noteWrite } from './ingest.ts';
import { readLeaderKey } from './leader-key.ts';
import type { LeaderKeyState } from './leader-key.ts';
import { Pacer } from './pacer.ts';
import { buildRelease } from './release.ts';
import type { AgentState } from './state.ts';
import { noteSyncAgain } from './synchronous.ts';

const RETRY_MILLIS: Millis = 50;
const PAUSED_RETRY_MILLIS: Millis = 500;

/**
 * The holder's writes to the lease: one outstanding at a time, each chained on the one before, and
 * none of them waits for a decision or a job. All other state follows from what they are answered.
 */
export class Heartbeat {
  readonly #state: AgentState;
  readonly #fencing: Fencing;
  readonly #onTwin: (incarnation: string) => void;
  readonly failsafe: Failsafe;
  readonly #arming: Arming;
  readonly #pacer: Pacer;
  #nextBeatAt: Instant | undefined;
  #leaderKey: LeaderKeyState = { kind: 'absent' };
  /** Generation value to write with the next beat, until one that carried it is confirmed. */
  #generation: Generation | undefined;

  constructor(state: AgentState, fencing: Fencing, onTwin: (incarnation: string) => void) {
    this.#state = state;
    this.#fencing = fencing;
    this.#onTwin = onTwin;
    this.failsafe = new Failsafe(state, this.#hold.bind(this), this.#beatNow.bind(this));
    this.#arming = new Arming(state, {
      voters: () => this.failsafe.voters(),
      onAcknowledged: (armed) => fencing.acknowledged(armed),
      onSuperseded: () => onTwin('the agent that controls the guardian'),
      onLapsed: (leaseId) => this.#giveUp(leaseId),
    });
    this.#pacer = new Pacer(state.ports.clock, async () => this.#step());
  }

  /** A takeover of this agent is in the store. */
  begin(held: HeldLease, leaderKey: LeaderKeyState, list: FailsafeList | undefined): void {
    this.#leaderKey = leaderKey;
    this.#generation = undefined;
    this.failsafe.begin(held.id, list);
    this.#hold(held);
    this.#beatNow();
  }

  /** Continues the lease that the guardian of this host keeps. */
  adopt(armed: ArmedLease): void {
    this.#leaderKey = { kind: 'absent' };
    // First: what is told to the guardian now is all that the next process will know of the list.
    this.failsafe.begin(armed.leaseId, listOfArmed(armed));
    this.#fencing.acknowledged(armed);
    const { leaseId, n, deadline, ttlMillis } = armed;
    const pause = pauseOf(armed, this.#state.host);
    this.#hold(adoptLease(leaseId, n, deadline, ttlMillis, this.#state.now(), pause));
    this.failsafe.poke();
    this.poke();
  }

  /** For good, with Postgres proved down. No agent after this one acts under it: that is kept here first. */
  async release(
    handoff: string | undefined,
    lsn: Lsn | undefined,
    exclude: readonly string[],
  ): Promise<void> {
    const id = this.#state.held?.id;
    if (id === undefined || this.#state.held?.release !== undefined) return;
    await this.#arming.end(id);
    const held = this.#state.held;
    if (held === undefined || held.id !== id || held.release !== undefined) return;
    this.failsafe.end();
    this.#hold({ ...held, release: { handoff, lsn, exclude } });
    this.poke();
  }

  /**
   * Postgres cannot be proved down, so the lease may not be given away: it runs out, as that of a host
   * that is lost. A process that is to die runs no code of its own, whatever it waits for.
   */
  letLapse(): void {
    const held = this.#state.held;
    if (held === undefined || held.lapses === true) return;
    const why = 'the lease is let run out: Postgres cannot be proved down';
    this.#state.ports.logger.log('error', why, { generation: held.n });
    this.#hold({ ...held, lapses: true, paused: false });
  }

  /** Writes this generation value with the next beat. */
  recordGeneration(generation: Generation): void {
    if (this.#state.held?.id !== generation.id) return;
    this.#generation = generation;
    this.#beatNow();
  }

  #beatNow(): void {
    this.#nextBeatAt = this.#state.now();
    this.poke();
  }

  poke(): void {
    this.#pacer.poke();
  }

  stop(): void {
    this.#pacer.stop();
    this.failsafe.stop();
  }

  /** Tells the guardian the deadline again: it may have been started since the last beat. */
  rearm(): void {
    if (this.#state.held !== undefined) this.#arming.tell(this.#state.held);
  }

  armed = async (): Promise<boolean> => this.#arming.acknowledged();

  /** One write or read; answers how long to pause before the next, undefined: until poked. */
  async #step(): Promise<Millis | undefined> {
    const held = this.#state.held;
    if (held === undefined) return undefined;
    const now = this.#state.now();
    if (isOver(held, now)) return this.#over(held);
    if (held.leaseIndex === undefined && !(await this.#read()))
      return held.paused ? PAUSED_RETRY_MILLIS : RETRY_MILLIS;
    const current = this.#state.held;
    if (current === undefined) return undefined;
    // A beat that is sent past the end would only make everyone wait anew.
    if (isOver(current, this.#state.now())) return this.#over(current);
    if (current.release !== undefined) return this.#sendRelease(current);
    if (current.lapses === true) return since(this.#state.now(), current.end);
    const due = this.#nextBeatAt ?? now;
    if (this.#state.now() < due) return since(this.#state.now(), due);
    return this.#beat(current);
  }

  /** Past its end a lease is lapsed; one that is being given away needs no more giving. */
  async #over(held: HeldLease): Promise<undefined> {
    if (held.release === undefined) await this.#lapse(held);
    else this.#letGo(held);
    return undefined;
  }

  async #beat(due: HeldLease): Promise<Millis> {
    const state = this.#state;
    const { policy } = state.ports.settings.current();
    const sentAt = state.now();
    const paused = await this.#saysPaused(due, sentAt);
    const before = this.#kept(due.id);
    if (before === undefined) return RETRY_MILLIS;
    const terms = this.failsafe.beatTerms(paused);
    const { held, lease } = sendBeat(before, sentAt, terms, state.incarnation);
    this.#hold(held);
    const wanted = this.failsafe.changeToSend();
    if (wanted.list !== undefined) this.#arming.tell(held);
    const shortened = held.end < before.end || promiseTtlMillis(held) < promiseTtlMillis(before);
    // A shorter lease binds from the moment it is sent, and whoever is listed has to be asked from
    // then on: the guardian knows it first, and so the process after this one.
    const told =
      (!shortened && wanted.list === undefined) ||
      (await this.#arming.acknowledged()) ||
      !this.#arming.isGuarded();
    if ((shortened && !told) || this.#kept(held.id) === undefined) return RETRY_MILLIS;
    const failsafe = told ? wanted : { changes: [], list: undefined };
    this.#nextBeatAt = plus(sentAt, policy.timing.heartbeatMillis);
    const content = withTheLost(state, held, {
      lease,
      leaderKey: this.#leaderKey,
      generation: this.#generation,
      failsafe: failsafe.changes,
    });
    const { generation, sync } = content;
    const answer = await state.ports.store.commit(
      buildBeat(state, held, content),
      Math.max(policy.timing.heartbeatMillis, 300),
    );
    state.ports.meter.observe('heartbeat_seconds', since(sentAt, state.now()));
    state.ports.meter.count('heartbeats_total', { outcome: answer.kind });
    noteSyncAgain(state, held, sync?.key, answer);
    if (state.held?.id === held.id)
      this.#beatAnswered(answer, lease.beat, generation, failsafe.list);
    this.failsafe.poke();
    if (answer.kind !== 'committed') return RETRY_MILLIS;
    return Math.max(0, since(state.now(), this.#nextBeatAt));
  }

  /** As wanted; a pause goes on until its end has been arranged for, and while a beat is unanswered. */
  async #saysPaused(held: HeldLease, sentAt: Instant): Promise<boolean> {
    const wanted = wantsPausedLease(this.#state.view());
    if (wanted || !held.paused || held.sent.length > 0) return wanted || held.paused;
    return !(await this.#arming.endPause(held, sentAt));
  }

  /** The lease, unless it is not that one any more or has been given away. */
  #kept(leaseId: string): HeldLease | undefined {
    const held = this.#state.held;
    return held?.id === leaseId && held.release === undefined ? held : undefined;
  }

  #beatAnswered(
    answer: WriteAnswer,
    beat: number,
    generation: Generation | undefined,
    list: FailsafeList | undefined,
  ): void {
    const state = this.#state;
    const held = state.held;
    if (held === undefined) return;
    switch (answer.kind) {
      case 'committed': {
        const now = state.now();
        noteWrite(state, answer.indexes);
        const leaseIndex = answer.indexes['lease'];
        const generationIndex = answer.indexes['generation'] ?? held.generationIndex;
        if (generation === this.#generation) this.#generation = undefined;
        if (state.session !== undefined && this.#leaderKey.kind !== 'locked') {
          this.#leaderKey = { kind: 'locked', session: state.session };
        }
        this.failsafe.beatConfirmed(list, held.amnesia);
        this.#hold(confirmBeat({ ...held, leaseIndex, generationIndex }, beat, now));
        return;
      }
      case 'refused':
        if (answer.lockFailed && answer.guards.length === 0) state.session = undefined;
        this.#hold({ ...held, leaseIndex: undefined });
        return;
      case 'unknown':
      case 'not-done':
        state.ports.logger.log('warn', 'a heartbeat was not acknowledged', {
          beat,
          outcome: answer.kind,
          reason: answer.failure.message,
          lease_left_ms: Math.round(since(state.now(), held.end)),
        });
        this.#hold({
          ...(answer.kind === 'not-done' ? takeBackBeat(held, beat) : held),
          leaseIndex: undefined,
        });
        state.changed();
        return;
    }
  }

  /** Reads consistently and judges what the store says of the own lease. */
  async #read(): Promise<boolean> {
    const state = this.#state;
    const timing = state.ports.settings.current().policy.timing;
    const askedAt = state.now();
    const answer = await state.ports.store.read(Math.max(timing.heartbeatMillis, 300));
    const held = state.held;
    if (answer.kind !== 'read' || held === undefined) return false;
    if (ingest(state, answer.record, answer.index, askedAt) === 'outdated') return false;
    const self = state.ports.settings.current().member.name;
    this.#leaderKey = readLeaderKey(answer.record, self, state.session);
    const reading = readAsHolder(held, answer.record, state.incarnation, state.now());
    switch (reading.kind) {
      case 'mine':
        this.failsafe.noteRead(valueOf(answer.record.failsafe));
        if (this.#leaderKey.kind === 'another' && held.release === undefined) {
          await this.superseded(`key leader names ${this.#leaderKey.member}`);
          return false;
        }
        this.#hold(reading.held);
        return true;
      case 'amnesia':
        if (held.release !== undefined) return this.#letGo(held);
        state.ports.logger.log(
          'error',
          'Consul has lost the newest generation; it is written back',
          { generation: held.n },
        );
        this.#hold(reading.held);
        return true;
      case 'released':
      case 'superseded':
        if (held.release !== undefined) return this.#letGo(held);
        await this.superseded(supersededBy(reading));
        return false;
      case 'twin':
        this.#onTwin(reading.incarnation);
        return false;
    }
  }

  #letGo(held: HeldLease): false {
    this.#state.lapsedId = held.id;
    this.#drop();
    return false;
  }

  /** Someone else leads: no write may be acknowledged any more, whatever is left of the lease. */
  async superseded(by: string): Promise<void> {
    const held = this.#state.held;
    if (held === undefined) return;
    if (held.release !== undefined) {
      this.#letGo(held);
      return;
    }
    this.#state.ports.logger.log('error', 'this member was superseded', { generation: held.n, by });
    await this.#dropAndFence(held);
  }

  /** The own clock says that it is over. Nothing revives it; only a takeover leads again. */
  async #lapse(held: HeldLease): Promise<void> {
    this.#state.ports.logger.log('warn', 'the lease has lapsed', { generation: held.n });
    this.#state.ports.meter.count('leases_lapsed_total');
    this.#state.lapsedId = held.id;
    await this.#dropAndFence(held);
  }

  /** Those who promised are told once Postgres is proved down: until then they hold back. */
  async #dropAndFence(held: HeldLease): Promise<void> {
    this.#drop();
    this.failsafe.end();
    if (await this.#fencing.stopWritable(held.id)) this.failsafe.withdraw(held.id);
  }

  #drop(): void {
    this.#state.held = undefined;
    this.#state.observation = undefined;
    this.#fencing.watchDeadline();
    this.#state.changed();
  }

  async #sendRelease(held: HeldLease): Promise<Millis | undefined> {
    const state = this.#state;
    const release = held.release;
    if (release === undefined) return undefined;
    const timing = state.ports.settings.current().policy.timing;
    const answer = await state.ports.store.commit(
      buildRelease(held, release, state.incarnation, timing.ttlMillis, this.#leaderKey),
      timing.retryTimeoutMillis,
    );
    if (answer.kind === 'committed') {
      noteWrite(state, answer.indexes);
      state.ports.logger.log('info', 'the lease was released', {
        generation: held.n,
        handoff: release.handoff,
      });
    }
    // A read has shown it before, and another lease may be held by now.
    if (state.held?.id !== held.id) return undefined;
    if (answer.kind === 'committed') {
      this.#letGo(held);
      return undefined;
    }
    // Refused: a beat of ours moved the chain, or it is done already. Unknown: only a read tells.
    this.#hold({ ...held, leaseIndex: undefined });
    return RETRY_MILLIS;
  }

  #hold(held: HeldLease): void {
    const before = this.#state.held;
    this.#state.held = held;
    this.#state.leaseMoved();
    const same =
      before?.end === held.end &&
      before.id === held.id &&
      before.release === held.release &&
      before.paused === held.paused &&
      promiseTtlMillis(before) === promiseTtlMillis(held);
    if (same) return;
    this.#arming.tell(held);
    this.#fencing.watchDeadline();
    if (before?.id !== held.id || before.release !== held.release || before.paused !== held.paused)
      this.#state.changed();
  }

  #giveUp(leaseId: string): void {
    const held = this.#kept(leaseId);
    if (held !== undefined) void this.#lapse(held);
  }
}
