import { indexOf, valueOf } from '../core/cluster.ts';
import type { ClusterRecord, SyncKey } from '../core/cluster.ts';
import { role } from '../core/facts.ts';
import type { HeldLease } from '../core/lease.ts';
import { done, fail } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { sameNames, standbyNames } from '../core/sync-duty.ts';
import { plus } from '../core/time.ts';
import type { Instant, Millis } from '../core/time.ts';
import { sleep } from '../ports/clock.ts';
import type { Change, Guard, WriteAnswer } from '../ports/cluster-store.ts';
import { noteWrite } from './ingest.ts';
import type { Probing } from './probing.ts';
import type { AgentState } from './state.ts';

const RETRY_MILLIS: Millis = 30;
const EFFECT_POLL_MILLIS: Millis = 5;

/**
 * The two hands of synchronous replication: key `sync` and `synchronous_standby_names`. Whatever is
 * asked of either counts as unknown until it has been answered; what that means is decided elsewhere.
 */
export class Synchronous {
  readonly #state: AgentState;
  readonly #probing: Probing;
  readonly #readAgain: () => void;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(state: AgentState, probing: Probing, readAgain: () => void) {
    this.#state = state;
    this.#probing = probing;
    this.#readAgain = readAgain;
  }

  /** One write at a time; answers at once, and the outcome is a fact of a later View. */
  write(key: SyncKey, index: number): void {
    const { held, cluster, sync } = this.#state;
    const generation = cluster?.value.generation;
    if (held === undefined || generation?.kind !== 'present' || sync.writing) return;
    if (generation.value.id !== held.id) return;
    const before = sync.written;
    this.#state.sync = { ...sync, written: undefined, writing: true };
    const guards: readonly Guard[] = [
      { kind: 'index', key: 'generation', index: generation.index },
      { kind: 'index', key: 'sync', index },
    ];
    const changes: readonly Change[] = [{ kind: 'set', entry: { key: 'sync', value: key } }];
    const { store, settings } = this.#state.ports;
    const timeoutMillis = settings.current().policy.timing.retryTimeoutMillis;
    void store.commit({ guards, changes }, timeoutMillis).then((answer) => {
      this.#answered(held, key, answer, before);
    });
  }

  #answered(
    held: HeldLease,
    key: SyncKey,
    answer: WriteAnswer,
    before: AgentState['sync']['written'],
  ): void {
    const state = this.#state;
    const retryAt = this.#retryAt(answer);
    // What is known not to have been done changes nothing of what was known before.
    const written = answer.kind === 'not-done' ? before : undefined;
    state.sync = { ...state.sync, writing: false, retryAt, written };
    if (answer.kind === 'committed') {
      noteWrite(state, answer.indexes);
      noteSyncWritten(state, held.id, key, answer.indexes['sync'] ?? 0);
      state.ports.logger.log('info', 'key sync was written', {
        leader: key.leader,
        standbys: key.standbys,
        quorum: key.quorum,
      });
    } else {
      const reason = answer.kind === 'refused' ? answer.reason : answer.failure.message;
      state.ports.logger.log('info', 'key sync was not written, tries again', { reason });
      this.#readAgain();
    }
    state.changed();
  }

  /** What was refused has to be read anew; what Consul does not answer, or allow, is tried at its pace. */
  #retryAt(answer: WriteAnswer): Instant | undefined {
    if (answer.kind === 'committed') return undefined;
    const { heartbeatMillis } = this.#state.ports.settings.current().policy.timing;
    return plus(this.#state.now(), answer.kind === 'refused' ? RETRY_MILLIS : heartbeatMillis);
  }

  /** Tells Postgres for whom its commits wait; that it is in effect is told by a probe. */
  async tell(names: string | undefined): Promise<Result<void>> {
    return this.#inTurn(async () => this.#tell(names));
  }

  async #tell(names: string | undefined): Promise<Result<void>> {
    const state = this.#state;
    state.sync = { ...state.sync, told: undefined };
    const told = await state.ports.postgres.setSynchronousStandbyNames(names);
    if (told.ok) state.sync = { ...state.sync, told: { names, at: state.now() } };
    else {
      state.ports.logger.log('warn', 'synchronous_standby_names could not be set', {
        reason: told.error.message,
        remedy: told.error.remedy,
      });
    }
    return told;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** As for any standby: told before it is started, and again when the mode changes. */
  async prepareStandby(): Promise<Result<void>> {
    const wanted = standbyNames(this.#state.view());
    const { told } = this.#state.sync;
    return told !== undefined && told.names === wanted ? done : this.tell(wanted);
  }

  /** Cheap when nothing is to be done; nothing is done to who leads, or is about to. */
  keepStandby(): void {
    if (!this.#isLagging()) return;
    void this.#inTurn(async () => {
      if (this.#isLagging()) await this.#tell(standbyNames(this.#state.view()));
    });
  }

  #isLagging(): boolean {
    const state = this.#state;
    if (state.held !== undefined || state.takeover !== undefined || state.job !== undefined)
      return false;
    const view = state.view();
    const { told } = state.sync;
    return role(view) === 'standby' && (told === undefined || told.names !== standbyNames(view));
  }

  /** Before a promotion: its first commit finds these names in effect. Undefined: as configured. */
  async inEffect(names: string | undefined, until: Instant): Promise<Result<void>> {
    const state = this.#state;
    const known = state.sync.told;
    if (known === undefined || known.names !== names) {
      const told = await this.tell(names);
      if (!told.ok) return told;
    }
    if (names === undefined) return done;
    for (;;) {
      if (this.#shows(names)) return done;
      if (state.now() >= until || state.postmaster().kind !== 'up') {
        return fail(
          'sync-names-not-in-effect',
          `Postgres does not show synchronous_standby_names = '${names}'`,
          'look into the log of Postgres for what keeps it from reading its configuration',
        );
      }
      await this.#probing.refresh();
      if (!this.#shows(names)) await sleep(state.ports.clock, EFFECT_POLL_MILLIS);
    }
  }

  #shows(names: string): boolean {
    const { probe, sync } = this.#state;
    if (probe?.value.kind !== 'answered' || sync.told === undefined) return false;
    if (probe.askedAt < sync.told.at) return false;
    return sameNames(probe.value.facts.synchronousStandbyNames, names);
  }
}

/** The own write is the last word: the record shows it before it is read again. */
export function noteSyncWritten(
  state: AgentState,
  leaseId: string,
  key: SyncKey,
  index: number,
): void {
  state.sync = { ...state.sync, written: { leaseId, index }, retryAt: undefined };
  state.ownSync = key;
  const seen = state.cluster;
  if (seen === undefined) return;
  const value: ClusterRecord = { ...seen.value, sync: { kind: 'present', index, value: key } };
  state.cluster = { ...seen, value };
}

/** Key `sync` as it is written back into a store that has lost it, with the lease and the generation. */
export function syncAgain(
  state: AgentState,
  held: HeldLease,
): { readonly key: SyncKey; readonly guard: Guard; readonly change: Change } | undefined {
  const remembered = state.host.sync?.n === held.n ? state.host.sync.key : undefined;
  const known = state.ownSync ?? remembered;
  const slot = state.cluster?.value.sync;
  const self = state.ports.settings.current().member.name;
  if (known?.leader !== self || slot === undefined) return undefined;
  const version = Math.max(known.version, valueOf(slot)?.version ?? 0) + 1;
  const key = { ...known, version };
  return {
    key,
    guard: { kind: 'index', key: 'sync', index: indexOf(slot) },
    change: { kind: 'set', entry: { key: 'sync', value: key } },
  };
}

/** What was written back with a heartbeat is the last word, like any own write. */
export function noteSyncAgain(
  state: AgentState,
  held: HeldLease,
  key: SyncKey | undefined,
  answer: WriteAnswer,
): void {
  const index = answer.kind === 'committed' ? answer.indexes['sync'] : undefined;
  if (key === undefined || index === undefined || state.held?.id !== held.id) return;
  noteSyncWritten(state, held.id, key, index);
}
