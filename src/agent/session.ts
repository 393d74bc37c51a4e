import type { MemberKey } from '../core/cluster.ts';
import { findMember } from '../core/cluster.ts';
import { same } from '../core/same.ts';
import type { Instant, Millis } from '../core/time.ts';
import { plus, since } from '../core/time.ts';
import type { Change, Guard } from '../ports/cluster-store.ts';
import { Pacer } from './pacer.ts';
import type { AgentState } from './state.ts';

const RENEW_MILLIS: Millis = 2000;
const TIMEOUT_MILLIS: Millis = 2000;
/** A process that is told to end does not wait for a Consul that does not answer: the session ends by itself. */
const LEAVE_MILLIS: Millis = 500;
const RETRY_MILLIS: Millis = 500;
/** Positions alone are published no more often than this. */
const POSITION_EVERY_MILLIS: Millis = 1000;
/** The leader's own goes into key `status` with each heartbeat. */
const LEADERS_POSITION_EVERY_MILLIS: Millis = 10_000;

const positionEvery = ({ role }: MemberKey): Millis =>
  role === 'primary' ? LEADERS_POSITION_EVERY_MILLIS : POSITION_EVERY_MILLIS;

interface Publication {
  readonly at: Instant;
  readonly session: string;
  readonly key: MemberKey;
}

/**
 * Visibility: the session, and this member's key under it. Leadership rests on neither; losing the
 * session costs nothing but a new one.
 */
export class Presence {
  readonly #state: AgentState;
  readonly #memberKey: () => MemberKey;
  readonly #pacer: Pacer;
  #renewAt: Instant | undefined;
  #published: Publication | undefined;

  constructor(state: AgentState, memberKey: () => MemberKey) {
    this.#state = state;
    this.#memberKey = memberKey;
    this.#pacer = new Pacer(state.ports.clock, async () => this.#step());
  }

  poke(): void {
    this.#pacer.poke();
  }

  async #step(): Promise<Millis> {
    if (!(await this.#keepSession())) return RETRY_MILLIS;
    if (!(await this.#publish())) return RETRY_MILLIS;
    return Math.max(100, since(this.#state.now(), this.#renewAt ?? this.#state.now()));
  }

  async #keepSession(): Promise<boolean> {
    const { store, logger } = this.#state.ports;
    const session = this.#state.session;
    if (session === undefined) {
      const opened = await store.openSession(TIMEOUT_MILLIS);
      if (opened.kind !== 'open') return false;
      this.#state.session = opened.session;
      this.#renewAt = plus(this.#state.now(), RENEW_MILLIS);
      return true;
    }
    if (this.#renewAt !== undefined && this.#state.now() < this.#renewAt) return true;
    const renewed = await store.renewSession(session, TIMEOUT_MILLIS);
    if (renewed.kind === 'failed') return false;
    if (renewed.kind === 'gone') {
      logger.log(
        'warn',
        'the Consul session is gone; a new one is made, leadership is not affected',
      );
      if (this.#state.session === session) this.#state.session = undefined;
      return this.#keepSession();
    }
    this.#renewAt = plus(this.#state.now(), RENEW_MILLIS);
    return true;
  }

  /** Writes the member key when what it says differs, or somebody removed it. */
  async #publish(): Promise<boolean> {
    const state = this.#state;
    const session = state.session;
    if (session === undefined) return false;
    const key = this.#memberKey();
    const now = state.now();
    if (!this.#isDue(key, session, now)) return true;
    const seen =
      state.cluster === undefined ? undefined : findMember(state.cluster.value, key.name);
    if (!(await this.#write(key, session, seen?.session, TIMEOUT_MILLIS))) return false;
    this.#published = { at: now, session, key };
    return true;
  }

  #isDue(key: MemberKey, session: string, now: Instant): boolean {
    const last = this.#published;
    if (last === undefined || last.session !== session || this.#isLost(last)) return true;
    return since(last.at, now) >= positionEvery(key)
      ? !same(last.key, key)
      : !same(withoutPositions(last.key), withoutPositions(key));
  }

  /**
   * A record that is newer than the last publication says something else: somebody removed the key, or a
   * request of before that was not answered has come after it.
   */
  #isLost({ at, key }: Publication): boolean {
    const cluster = this.#state.cluster;
    if (cluster === undefined || cluster.receivedAt <= plus(at, POSITION_EVERY_MILLIS))
      return false;
    const seen = findMember(cluster.value, key.name)?.key;
    return seen?.role !== key.role || seen.state !== key.state;
  }

  async #write(
    key: MemberKey,
    session: string,
    holder: string | undefined,
    timeoutMillis: Millis,
  ): Promise<boolean> {
    const state = this.#state;
    const entry = { key: `members/${key.name}`, value: key } as const;
    const lock: Change = { kind: 'lock', entry, session };
    const guards: readonly Guard[] = [];
    // Held by a former session of this member: deleted and locked anew in one transaction.
    const changes: readonly Change[] =
      holder === undefined || holder === session
        ? [lock]
        : [{ kind: 'delete', key: entry.key }, lock];
    const answer = await state.ports.store.commit({ guards, changes }, timeoutMillis);
    if (answer.kind === 'committed') return true;
    if (answer.kind === 'refused' && answer.lockFailed) {
      const again = await state.ports.store.commit(
        { guards, changes: [{ kind: 'delete', key: entry.key }, lock] },
        timeoutMillis,
      );
      if (again.kind === 'committed') return true;
      if (again.kind === 'refused' && state.session === session) state.session = undefined;
    }
    return false;
  }

  /** Leaves: the session goes, and with it the member key. */
  async leave(): Promise<void> {
    this.stop();
    const session = this.#state.session;
    if (session === undefined) return;
    // The leader reads this before the key goes: who left in good order need not be asked for promises.
    await this.#write(this.#memberKey(), session, session, LEAVE_MILLIS);
    await this.#state.ports.store.closeSession(session, LEAVE_MILLIS);
  }

  stop(): void {
    this.#pacer.stop();
  }
}

const withoutPositions = (key: MemberKey): MemberKey => ({
  ...key,
  xlogLocation: undefined,
  receiveLsn: undefined,
  replayLsn: undefined,
});
