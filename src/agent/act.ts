import type { Action } from '../core/action.ts';
import { describeTarget, server } from '../core/facts.ts';
import { unreachable } from '../core/assert.ts';
import { abandonLease, giveBackLease } from './abandon.ts';
import { canvass } from './canvass.ts';
import type { Commands } from './commands.ts';
import type { Duties } from './duties.ts';
import type { Fencing } from './fencing.ts';
import type { Heartbeat } from './heartbeat.ts';
import { followedNow, noteUpstream, raiseFloor, updateHost } from './host-memory.ts';
import type { Jobs } from './jobs.ts';
import type { PostgresJobs } from './postgres-jobs.ts';
import type { Probing } from './probing.ts';
import type { Promotion } from './promotion.ts';
import type { AgentState } from './state.ts';
import type { Synchronous } from './synchronous.ts';
import type { Takeover } from './takeover.ts';

export interface ActorParts {
  readonly fencing: Fencing;
  readonly heartbeat: Heartbeat;
  readonly takeover: Takeover;
  readonly jobs: Jobs;
  readonly probing: Probing;
  readonly postgres: PostgresJobs;
  readonly promotion: Promotion;
  readonly duties: Duties;
  readonly synchronous: Synchronous;
  readonly commands: Commands;
  /** Reads Consul once, now. */
  readonly readAgain: () => void;
  /** Everything that had to be done before the process ends has been done. */
  readonly leave: (keep: boolean) => void;
}

/** Carries decisions out, one action at a time, in order. Long ones become jobs. */
export class Actor {
  readonly #state: AgentState;
  readonly #parts: ActorParts;

  constructor(state: AgentState, parts: ActorParts) {
    this.#state = state;
    this.#parts = parts;
  }

  async act(actions: readonly Action[]): Promise<void> {
    for (const action of actions) {
      if (await this.#perform(action)) continue;
      const releases = actions.some(({ kind }) => kind === 'release');
      if (action.kind === 'fence' && releases) this.#parts.heartbeat.letLapse();
      return;
    }
  }

  /** False: the actions after this one rest on something that did not happen. */
  async #perform(action: Action): Promise<boolean> {
    const { fencing, heartbeat, takeover, commands, leave } = this.#parts;
    switch (action.kind) {
      case 'fence':
        return fencing.fence(action.cause);
      case 'release':
        await heartbeat.release(action.handoff, action.lsn, action.exclude);
        return true;
      case 'takeover':
        void takeover.begin(action.n, action.basis, action.sync);
        return true;
      case 'canvass':
        void canvass(this.#state);
        // The own position counts as of the same moment.
        void this.#parts.probing.refresh();
        return true;
      case 'raise-floor':
        // What was observed was a record of the past: the present one is watched from now.
        this.#restartObservation(undefined);
        return updateHost(this.#state, raiseFloor(action.n, action.id));
      case 'restart-observation':
        this.#restartObservation(action.beat);
        return true;
      case 'note-followed':
        return updateHost(this.#state, (host) => ({
          ...host,
          followed: {
            ...followedNow(this.#state, action.from),
            id: action.generationId,
            timeline: action.timeline,
          },
          systemIdentifier: server(this.#state.view())?.systemIdentifier ?? host.systemIdentifier,
        }));
      case 'answer':
        commands.answer(action.commandId, action.answer);
        return true;
      case 'cancel-job':
        this.#parts.jobs.cancel();
        return true;
      case 'probe':
        await this.#parts.probing.refresh();
        return true;
      case 'set-sync-names':
        return this.#setSyncNames(action.names);
      case 'abandon':
        commands.answer(action.commandId, await abandonLease(this.#state, action.holder));
        return true;
      case 'leave':
        leave(action.keep === true);
        return true;
      default:
        return isDuty(action) ? this.#onDuty(action) : this.#onPostgres(action);
    }
  }

  /** What a leader, or a former one, writes down, here and in Consul. */
  async #onDuty(action: DutyAction): Promise<boolean> {
    const { duties, promotion } = this.#parts;
    switch (action.kind) {
      case 'write-initialize':
        return this.#writeInitialize(action.systemIdentifier);
      case 'record-promotion':
        await duties.recordPromotion();
        return true;
      case 'remember-promotion':
        return promotion.rememberPromotion();
      case 'write-history':
        return this.#writeHistory(action.historyFor);
      case 'write-sync':
        this.#parts.synchronous.write(action.key, action.index);
        return true;
      case 'give-back':
        await giveBackLease(this.#state, action);
        return true;
      default:
        return unreachable(action);
    }
  }

  async #setSyncNames(names: string | undefined): Promise<boolean> {
    const told = await this.#parts.synchronous.tell(names);
    // Seen at once: the next step waits for it.
    if (told.ok) await this.#parts.probing.refresh();
    return told.ok;
  }

  #restartObservation(beat: { readonly id: string; readonly beat: number } | undefined): void {
    const state = this.#state;
    if (beat !== undefined) state.newestBeat = beat;
    if (state.observation !== undefined) {
      state.observation = { ...state.observation, seenAt: state.now(), releasedAt: undefined };
    }
    this.#parts.readAgain();
  }

  async #writeInitialize(systemIdentifier: string): Promise<boolean> {
    if (!(await this.#parts.duties.writeInitialize(systemIdentifier))) return false;
    return updateHost(this.#state, (host) => ({ ...host, systemIdentifier, founding: undefined }));
  }

  async #writeHistory(historyFor: string): Promise<boolean> {
    const written = await this.#parts.duties.writeHistory();
    const { memory } = this.#state;
    if (written) this.#state.memory = { ...memory, duties: { ...memory.duties, historyFor } };
    return true;
  }

  async #onPostgres(action: PostgresAction): Promise<boolean> {
    const { jobs, postgres } = this.#parts;
    switch (action.kind) {
      case 'start':
        this.#state.memory = { ...this.#state.memory, upstream: describeTarget(action.target) };
        jobs.begin('start', async () => postgres.start(action.target));
        return true;
      case 'stop':
        jobs.begin('stop', async () => postgres.stop(action.mode));
        return true;
      case 'promote':
        jobs.begin('promote', async () => this.#parts.promotion.promote(action.names));
        return true;
      case 'checkpoint':
        jobs.begin('checkpoint', async () => postgres.checkpoint());
        return true;
      case 'initialise':
        jobs.begin('initialise', async (options) => postgres.initialise(options));
        return true;
      case 'finish-bootstrap':
        jobs.begin('finish-bootstrap', async (options) => postgres.finishBootstrap(options));
        return true;
      case 'clone':
        jobs.begin('clone', async (options) =>
          postgres.clone(action.source, action.target, options),
        );
        return true;
      case 'rewind':
        jobs.begin('rewind', async (options) => postgres.rewind(action.source, options));
        return true;
      case 'diagnose':
        jobs.begin('diagnose', async (options) =>
          postgres.diagnose(action.source, action.generationId, options.signal),
        );
        return true;
      case 'set-aside':
        jobs.begin('set-aside', async () => postgres.setAside(action.reason));
        return true;
      case 'follow':
        return this.#follow(action.target);
      case 'reconcile-slots': {
        const result = await this.#state.ports.postgres.reconcileSlots(
          action.wanted,
          action.mayDrop,
        );
        if (!result.ok)
          this.#warn('replication slots could not be put in order', result.error.message);
        return true;
      }
      default:
        return unreachable(action);
    }
  }

  async #follow(target: Extract<Action, { kind: 'follow' }>['target']): Promise<boolean> {
    if (!(await noteUpstream(this.#state, target))) return false;
    const result = await this.#state.ports.postgres.follow(target);
    if (!result.ok) {
      this.#warn('the upstream could not be changed', result.error.message);
      this.#state.memory = { ...this.#state.memory, upstream: undefined };
    } else {
      this.#state.ports.logger.log('info', 'follows', { upstream: describeTarget(target) });
      // The next decision asks the server where it points: it must have been asked after this.
      await this.#parts.probing.refresh();
    }
    return result.ok;
  }

  #warn(message: string, reason: string): void {
    this.#state.ports.logger.log('warn', message, { reason });
  }
}

const DUTIES: ReadonlySet<string> = new Set<DutyAction['kind']>([
  'write-initialize',
  'record-promotion',
  'remember-promotion',
  'write-history',
  'write-sync',
  'give-back',
]);

const isDuty = <T extends Action>(action: T): action is T & DutyAction => DUTIES.has(action.kind);

type DutyAction = Extract<
  Action,
  {
    kind:
      | 'write-initialize'
      | 'record-promotion'
      | 'remember-promotion'
      | 'write-history'
      | 'write-sync'
      | 'give-back';
  }
>;

type PostgresAction = Extract<
  Action,
  {
    kind:
      | 'start'
      | 'stop'
      | 'promote'
      | 'checkpoint'
      | 'initialise'
      | 'finish-bootstrap'
      | 'clone'
      | 'rewind'
      | 'diagnose'
      | 'set-aside'
      | 'follow'
      | 'reconcile-slots';
  }
>;
