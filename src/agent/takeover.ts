import type { ClusterRecord, Generation, SyncKey } from '../core/cluster.ts';
import { indexOf, valueOf } from '../core/cluster.ts';
import { winLease } from '../core/lease.ts';
import { LSN_ZERO } from '../core/lsn.ts';
import type { FailsafeList } from '../core/failsafe.ts';
import { plus, since } from '../core/time.ts';
import type { Instant } from '../core/time.ts';
import type { CheckedIndex, HostMemory } from '../core/view.ts';
import type { Change, Guard, StoreWrite, WriteAnswer } from '../ports/cluster-store.ts';
import type { Heartbeat } from './heartbeat.ts';
import { raiseFloor, updateHost } from './host-memory.ts';
import { noteWrite, readStore } from './ingest.ts';
import type { AgentState } from './state.ts';
import { ancestorsOf, listAfter } from './succession.ts';
import { noteSyncWritten } from './synchronous.ts';

const REPEAT_MILLIS = 1000;
/** What was certainly not given is not asked for again before, unless what it rests on has moved. */
const DENIED_MILLIS = 250;
/** Consul that does not answer is asked this often whether it does again. */
const LISTEN_MILLIS = 300;

/** One attempt: its identity and what it checked stay the same however often it is repeated. */
interface Attempt {
  readonly generation: Generation;
  readonly sentAt: Instant;
  /** Since when nobody was heard to lead: the last beat, or the release. */
  readonly leaderlessSince: Instant | undefined;
  readonly basis: string;
  readonly ttlMillis: number;
  readonly list: FailsafeList | undefined;
  readonly sync: SyncKey | undefined;
  readonly write: StoreWrite;
  /** The same when the session is the only hindrance. Undefined: it must not be done without one. */
  readonly plainWrite: StoreWrite | undefined;
  readonly checked: readonly CheckedIndex[];
}

/**
 * The one transaction that changes the leader and raises the generation together. A request without
 * an answer stays open until a read shows it done, or shows that what it checked has moved.
 */
export class Takeover {
  readonly #state: AgentState;
  readonly #heartbeat: Heartbeat;
  #attempt: Attempt | undefined;
  #stopped = false;
  #missing = false;
  #denied: { readonly attempt: Attempt; readonly until: Instant } | undefined;

  constructor(state: AgentState, heartbeat: Heartbeat) {
    this.#state = state;
    this.#heartbeat = heartbeat;
  }

  async begin(n: number, basis: string, sync: SyncKey | undefined): Promise<void> {
    const state = this.#state;
    const record = state.cluster?.value;
    if (state.takeover !== undefined || state.held !== undefined || record === undefined) return;
    if (this.#isDenied(record) || state.storeSilentSince !== undefined) return;
    if (isEmpty(record) && state.session === undefined) {
      this.#missSession();
      return;
    }
    this.#missing = false;
    const attempt = this.#prepare(record, n, basis, sync);
    this.#attempt = attempt;
    state.takeover = { id: attempt.generation.id, sentAt: attempt.sentAt, unanswered: undefined };
    state.ports.logger.log('info', 'asks Consul for the lease', { generation: n, basis });
    if (await this.#isOfUse(attempt)) await this.#send(attempt, true);
    else if (this.#attempt === attempt) {
      this.#deny(attempt);
      state.changed();
    }
  }

  /**
   * Who cannot write the attempt down could not promote either. And what Consul does not answer now
   * may be granted much later: until it is settled, this member could not promise anything to anyone.
   */
  async #isOfUse(attempt: Attempt): Promise<boolean> {
    const [saved, answers] = await Promise.all([
      updateHost(this.#state, noteAttempt(attempt.generation.id)),
      this.#answers(),
    ]);
    if (!answers) this.#listen();
    return saved && answers && this.#attempt === attempt && !this.#stopped;
  }

  /** Whether Consul has a leader, as of just now: a watch may end without one. */
  async #answers(): Promise<boolean> {
    const { heartbeatMillis } = this.#state.ports.settings.current().policy.timing;
    const { answer } = await readStore(this.#state, Math.max(heartbeatMillis, LISTEN_MILLIS));
    return answer.kind === 'read';
  }

  /** Until Consul answers again, nothing is asked for. */
  #listen(): void {
    const state = this.#state;
    state.storeSilentSince ??= state.now();
    state.ports.clock.timer(LISTEN_MILLIS, () => {
      void this.#answers().then((answers) => {
        if (this.#stopped) return;
        if (!answers) {
          this.#listen();
          return;
        }
        state.storeSilentSince = undefined;
        state.changed();
      });
    });
  }

  #isDenied(record: ClusterRecord): boolean {
    const denied = this.#denied;
    return (
      denied !== undefined && this.#state.now() < denied.until && !isVoid(denied.attempt, record)
    );
  }

  /** A Consul that refuses at once is not asked without a pause. */
  #deny(attempt: Attempt): void {
    const { clock } = this.#state.ports;
    this.#clear();
    this.#denied = { attempt, until: plus(this.#state.now(), DENIED_MILLIS) };
    clock.timer(DENIED_MILLIS, () => {
      if (!this.#stopped) this.#state.changed();
    });
  }

  #missSession(): void {
    if (!this.#missing)
      this.#state.ports.logger.log(
        'warn',
        'Consul is empty, and there is no session to ask for the lease with',
        { remedy: 'allow session:write and node:write in the ACL, if Consul answers otherwise' },
      );
    this.#missing = true;
  }

  #prepare(record: ClusterRecord, n: number, basis: string, sync: SyncKey | undefined): Attempt {
    const state = this.#state;
    const settings = state.ports.settings.current();
    const before = valueOf(record.generation);
    const generation: Generation = {
      n,
      id: state.ports.random.id(),
      holder: settings.member.name,
      timeline: 0,
      switchLsn: LSN_ZERO,
      ancestors: ancestorsOf(before, state),
    };
    const ttlMillis = settings.policy.timing.ttlMillis;
    const keys = ['generation', 'lease', 'leader', 'sync', 'failsafe'] as const;
    const founds = record.generation.kind === 'absent' || basis === 'bootstrap';
    const founding = founds ? (['initialize'] as const) : [];
    const checked = [...keys, ...founding].map((key) => ({ key, index: indexOf(record[key]) }));
    const guards = checked.map(({ key, index }): Guard => ({ kind: 'index', key, index }));
    const lease = {
      id: generation.id,
      n,
      incarnation: state.incarnation,
      beat: 0,
      ttlMillis,
      released: undefined,
    };
    const changes: Change[] = [
      { kind: 'set', entry: { key: 'generation', value: generation } },
      { kind: 'set', entry: { key: 'lease', value: lease } },
    ];
    if (sync !== undefined) changes.push({ kind: 'set', entry: { key: 'sync', value: sync } });
    if (record.leader.kind !== 'absent') changes.push({ kind: 'delete', key: 'leader' });
    const entry = { key: 'leader', value: settings.member.name } as const;
    const plain: Change = { kind: 'set', entry };
    const lock: Change =
      state.session === undefined ? plain : { kind: 'lock', entry, session: state.session };
    const list = listAfter(record, state);
    if (list !== undefined) changes.push({ kind: 'set', entry: { key: 'failsafe', value: list } });
    return {
      generation,
      basis,
      list,
      sync,
      sentAt: state.now(),
      leaderlessSince: state.observation?.releasedAt ?? state.observation?.seenAt,
      ttlMillis,
      checked,
      write: { guards, changes: [...changes, lock] },
      plainWrite: isEmpty(record) ? undefined : { guards, changes: [...changes, plain] },
    };
  }

  async #send(attempt: Attempt, first: boolean): Promise<void> {
    const state = this.#state;
    const timeout = state.ports.settings.current().policy.timing.retryTimeoutMillis;
    let answer = await state.ports.store.commit(attempt.write, timeout);
    if (isLockAlone(answer)) {
      // A dead session or a foreign lock-delay must not cost the lease; the next beat locks the key.
      state.session = undefined;
      if (attempt.plainWrite !== undefined)
        answer = await state.ports.store.commit(attempt.plainWrite, timeout);
    }
    await this.#answered(attempt, answer, first);
  }

  async #answered(attempt: Attempt, answer: WriteAnswer, first: boolean): Promise<void> {
    const state = this.#state;
    if (this.#attempt !== attempt) return;
    switch (answer.kind) {
      case 'committed':
        noteWrite(state, answer.indexes);
        await this.#won(attempt, {
          generation: answer.indexes['generation'] ?? 0,
          lease: answer.indexes['lease'] ?? 0,
          sync: answer.indexes['sync'] ?? 0,
        });
        return;
      case 'refused':
        state.ports.logger.log('info', 'the lease was not given', {
          generation: attempt.generation.n,
          reason: answer.reason,
        });
        // The refusal of a repetition may mean that a copy before it succeeded: only a read tells.
        // Unless all it checks still holds, and just the session is gone that it cannot do without.
        if (first || (isLockAlone(answer) && attempt.plainWrite === undefined)) {
          this.#deny(attempt);
          await this.#read();
        } else await this.#settle(attempt);
        return;
      case 'not-done':
        if (first) {
          this.#deny(attempt);
          state.changed();
        } else await this.#settle(attempt);
        return;
      case 'unknown':
        state.ports.logger.log('warn', 'the request for the lease was not answered', {
          reason: answer.failure.message,
        });
        await this.#settle(attempt);
        return;
    }
  }

  /** Open until a read shows it done or void; meanwhile the very same request is repeated. */
  async #settle(attempt: Attempt): Promise<void> {
    const state = this.#state;
    if (state.takeover !== undefined) {
      state.takeover = { ...state.takeover, unanswered: attempt.checked };
    }
    await this.#read();
    if (this.#attempt !== attempt || this.#stopped) return;
    state.ports.clock.timer(REPEAT_MILLIS, () => {
      const open = this.#attempt === attempt && state.takeover?.id === attempt.generation.id;
      if (open && !this.#stopped) void this.#send(attempt, false);
    });
  }

  /** Nothing is asked for any more. */
  stop(): void {
    this.#stopped = true;
  }

  async #read(): Promise<void> {
    const attempt = this.#attempt;
    const { answer, taken } = await readStore(this.#state);
    if (answer.kind === 'read') {
      await this.onRecord();
      if (taken && attempt !== undefined && this.#attempt === attempt) {
        // A linearizable read of another store than the one that was checked, one of the past, say.
        if (isVoid(attempt, answer.record)) this.#clear();
      }
    }
    this.#state.changed();
  }

  /** Looks whether an unanswered attempt shows in the record that was just read. */
  async onRecord(): Promise<void> {
    const state = this.#state;
    const attempt = this.#attempt;
    const record = state.cluster?.value;
    if (attempt === undefined || record === undefined || state.held !== undefined) return;
    if (valueOf(record.generation)?.id === attempt.generation.id) {
      await this.#won(attempt, {
        generation: indexOf(record.generation),
        lease: indexOf(record.lease),
        sync: indexOf(record.sync),
      });
      return;
    }
    if (state.takeover === undefined) this.#attempt = undefined;
  }

  async #won(
    attempt: Attempt,
    indexes: { readonly generation: number; readonly lease: number; readonly sync: number },
  ): Promise<void> {
    const state = this.#state;
    if (this.#attempt !== attempt) return;
    this.#clear();
    const { id, n } = attempt.generation;
    const { floor } = state.host;
    if (floor.n >= n && floor.id !== id) {
      // Consul lost the past while the request was on its way: who led meanwhile may still do so.
      state.ports.logger.log('warn', 'the lease was won in the place of a newer one', {
        generation: n,
        seen: floor.n,
      });
      state.changed();
      return;
    }
    if (state.now() >= plus(attempt.sentAt, attempt.ttlMillis)) {
      // Won too late to be of use. What may have been lost and led while the request was on its way,
      // this member cannot tell.
      state.ports.logger.log('warn', 'the lease was won after it had ended', { generation: n });
      state.wonLateId = id;
      state.changed();
      return;
    }
    state.lapsedId = undefined;
    state.wonLateId = undefined;
    state.ownGeneration = attempt.generation;
    const held = winLease(id, n, attempt.sentAt, attempt.ttlMillis, indexes);
    const session = state.session;
    const key =
      session === undefined
        ? ({ kind: 'named', index: 0 } as const)
        : ({ kind: 'locked', session } as const);
    state.ownSync = undefined;
    if (attempt.sync !== undefined) noteSyncWritten(state, id, attempt.sync, indexes.sync);
    this.#heartbeat.begin(held, key, attempt.list);
    await updateHost(state, raiseFloor(n, id));
    state.ports.logger.log('info', 'holds the lease', { generation: n });
    this.#measure(attempt);
    state.changed();
  }

  #measure({ basis, sentAt, leaderlessSince }: Attempt): void {
    const { meter } = this.#state.ports;
    meter.observe('phase_seconds', since(sentAt, this.#state.now()), { phase: 'elect' });
    this.#state.leaderlessSince = basis === 'bootstrap' ? undefined : leaderlessSince;
    if (basis === 'bootstrap') return;
    if (basis === 'released') meter.count('switchovers_total');
    else meter.count('failovers_total', { cause: basis });
    if (leaderlessSince !== undefined)
      meter.observe('phase_seconds', since(leaderlessSince, sentAt), { phase: 'detect' });
  }

  #clear(): void {
    this.#attempt = undefined;
    this.#state.takeover = undefined;
  }
}

const ATTEMPTS_KEPT = 8;

/** What key `sync` says of its leader is said of these data, not of every machine that has its name. */
const noteAttempt =
  (id: string) =>
  (host: HostMemory): HostMemory => ({
    ...host,
    led: [id, ...(host.led ?? [])].slice(0, ATTEMPTS_KEPT),
  });

/**
 * That a key does not exist is true again after every loss of the store, unlike an index: there a
 * request holds on to its session, which any loss ends, so that a late one cannot be granted.
 */
const isEmpty = (record: ClusterRecord): boolean => record.generation.kind === 'absent';

/** Everything that was checked holds: only the lock was not given. */
const isLockAlone = (answer: WriteAnswer): boolean =>
  answer.kind === 'refused' && answer.lockFailed && answer.guards.length === 0;

const isVoid = ({ checked }: Attempt, record: ClusterRecord): boolean =>
  checked.some(({ key, index }) => indexOf(record[key]) !== index);
