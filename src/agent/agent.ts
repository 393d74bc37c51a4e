import { leaseIsFree } from '../core/facts.ts';
import { done } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { syncTerms } from '../core/sync-terms.ts';
import { since } from '../core/time.ts';
import { longestQuietMillis } from '../core/timing.ts';
import type { GuardianState } from '../ports/guardian.ts';
import type { PromiseReply, PromiseRequest } from '../ports/peers.ts';
import { Actor } from './act.ts';
import { Brake } from './brake.ts';
import { Commands } from './commands.ts';
import { refuseTakenName } from './duplicate.ts';
import { Duties } from './duties.ts';
import type { AgentFacade, Command, CommandAnswer } from './facade.ts';
import { Fencing } from './fencing.ts';
import { Heartbeat } from './heartbeat.ts';
import { readStore } from './ingest.ts';
import { Jobs } from './jobs.ts';
import { Loop } from './loop.ts';
import type { AgentPorts } from './ports.ts';
import { PostgresJobs } from './postgres-jobs.ts';
import { Probing } from './probing.ts';
import { Promotion } from './promotion.ts';
import { Reconfigure } from './reconfigure.ts';
import { Registration } from './registration.ts';
import { Presence } from './session.ts';
import { AgentState } from './state.ts';
import { explanation, memberKey, memberStatus, peerReport } from './status.ts';
import { Synchronous } from './synchronous.ts';
import { Takeover } from './takeover.ts';
import { Transitions } from './transitions.ts';
import { Watcher } from './watcher.ts';
import { WatchdogReadiness } from './watchdog.ts';

/** Why an agent ended. */
export type AgentEnd =
  | { readonly kind: 'left' }
  /** In maintenance mode: Postgres, guardian, lease and keys go on for the next agent. */
  | { readonly kind: 'kept' }
  /** Another process acts under this member's name: this one touches nothing and goes. */
  | { readonly kind: 'twin'; readonly message: string };

/** One agent: wires the parts, starts them in order, and stops them in reverse. */
export class Agent implements AgentFacade {
  readonly #state: AgentState;
  readonly #fencing: Fencing;
  readonly #brake: Brake;
  readonly #heartbeat: Heartbeat;
  readonly #takeover: Takeover;
  readonly #probing: Probing;
  readonly #jobs: Jobs;
  readonly #commands: Commands;
  readonly #presence: Presence;
  readonly #registration: Registration | undefined;
  readonly #watcher: Watcher;
  readonly #loop: Loop;
  readonly #reconfigure: Reconfigure;
  readonly #transitions: Transitions;
  readonly #synchronous: Synchronous;
  readonly #watchdog: WatchdogReadiness;
  readonly #ended: Promise<AgentEnd>;
  #leaving = false;
  #end: (end: AgentEnd) => void = () => {};

  constructor(ports: AgentPorts) {
    const state = new AgentState(ports);
    this.#state = state;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#fencing = new Fencing(state);
    this.#brake = new Brake(state);
    state.onLease(() => {
      this.#brake.poke();
    });
    this.#heartbeat = new Heartbeat(state, this.#fencing, (incarnation) => {
      this.#twin(incarnation);
    });
    this.#watchdog = new WatchdogReadiness(state, () => {
      this.#heartbeat.rearm();
    });
    this.#takeover = new Takeover(state, this.#heartbeat);
    this.#probing = new Probing(state);
    const jobs = new Jobs(state, this.#probing);
    this.#jobs = jobs;
    const readAgain = (): void => {
      void this.readCluster().then(() => {
        this.#onRecord();
      });
    };
    const synchronous = new Synchronous(state, this.#probing, readAgain);
    this.#synchronous = synchronous;
    const promotion = new Promotion(state, this.#heartbeat, this.#probing, synchronous);
    const postgresJobs = new PostgresJobs(state, this.#probing, promotion, synchronous);
    const duties = new Duties(state, this.#heartbeat, promotion);
    this.#transitions = new Transitions(state);
    this.#reconfigure = new Reconfigure(state, this.#transitions);
    this.#commands = new Commands(state, async () => this.#reconfigure.reloadFiles());
    this.#commands.setClearFailover(async (index) => duties.clearFailover(index));
    const actor = new Actor(state, {
      fencing: this.#fencing,
      heartbeat: this.#heartbeat,
      takeover: this.#takeover,
      jobs,
      probing: this.#probing,
      postgres: postgresJobs,
      promotion,
      duties,
      commands: this.#commands,
      synchronous,
      readAgain,
      leave: (keep) => {
        this.#end({ kind: keep ? 'kept' : 'left' });
      },
    });
    this.#loop = new Loop(state, actor, this.#commands, this.#transitions);
    this.#presence = new Presence(state, () => memberKey(state, this.#leaving));
    this.#registration =
      ports.registry === undefined
        ? undefined
        : new Registration(state, ports.registry, () => memberKey(state, false));
    this.#watcher = new Watcher(state, () => {
      this.#onRecord();
    });
  }

  /** Looks at its host, adopts what runs there, then takes part in the cluster. */
  async start(): Promise<Result<void>> {
    const state = this.#state;
    const { hostState, postgres, guardian } = state.ports;
    const loaded = await hostState.load();
    if (!loaded.ok) return loaded;
    state.host = loaded.value;
    const able = await postgres.preflight();
    if (!able.ok) return able;
    const found = await guardian.attach();
    state.attached = true;
    state.onChange(() => {
      this.#brake.poke();
      this.#loop.wake();
      this.#presence.poke();
      this.#registration?.poke();
      this.#watchdog.poke();
    });
    guardian.onChange(() => {
      this.#watchdog.lookAgain();
      this.#probing.invalidate();
      state.changed();
    });
    await this.#takeUp(found);
    // What runs here may have to be fenced, or to be adopted in time: it is not kept waiting.
    const unique = isAtRest(found) ? await refuseTakenName(state) : done;
    if (!unique.ok) {
      await guardian.detach();
      return unique;
    }
    await this.#probing.refresh();
    this.#transitions.adopt(state.view());
    this.#probing.start();
    this.#watchdog.poke();
    void this.#watcher.run();
    this.#presence.poke();
    this.#loop.start();
    return done;
  }

  /**
   * What the guardian of this host keeps: a running Postgres is adopted with its lease. Where it is
   * down, the lease is left to run out: the process before may have given it away. One that is over
   * here is known as such, whoever has found that out.
   */
  async #takeUp(found: GuardianState): Promise<void> {
    const state = this.#state;
    state.lapsedId = found.over;
    if (found.kind !== 'present' || found.armed === undefined) return;
    const { armed, postmaster } = found;
    // Whose deadline is lifted is not waited for: where its Postgres is down, it is over.
    const leftMillis = armed.paused === true ? 0 : since(state.now(), armed.deadline);
    if (postmaster.kind === 'up' && (armed.paused === true || leftMillis > 0)) {
      state.ports.logger.log('info', 'adopts the lease and the Postgres of this host', {
        generation: armed.n,
      });
      state.writableUnder = armed.leaseId;
      this.#heartbeat.adopt(armed);
      return;
    }
    const lapse = (): void => {
      if (state.held === undefined && state.lapsedId === found.over) state.lapsedId = armed.leaseId;
      state.changed();
    };
    if (leftMillis > 0) {
      state.ports.clock.timer(leftMillis, lapse);
      return;
    }
    // Kept before it is acted on: the process after this one must not adopt it. Where it cannot be, that
    // one finds what this one has found.
    if (postmaster.kind === 'down') await state.ports.guardian.end(armed.leaseId);
    lapse();
  }

  /** Resolves when the agent is through, by itself or after `shutdown`. */
  async ended(): Promise<AgentEnd> {
    return this.#ended;
  }

  /** Hands over if anyone can take it, stops Postgres, leaves the cluster. */
  shutdown(): void {
    this.#commands.shutdown();
  }

  /** Lets everything run on: the guardian keeps Postgres and the lease for the next agent. */
  async detach(): Promise<void> {
    this.#stopParts();
    this.#presence.stop();
    this.#registration?.stop();
    // An open connection would keep this process from ending, and the next agent from starting.
    await this.#state.ports.postgres.close();
    await this.#state.ports.guardian.detach();
  }

  /** After `ended`: the session and the connections go. */
  async close(): Promise<void> {
    this.#stopParts();
    this.#leaving = true;
    await Promise.all([this.#registration?.leave(), this.#presence.leave()]);
    await this.#state.ports.postgres.close();
    await this.#state.ports.guardian.detach();
  }

  #stopParts(): void {
    this.#jobs.cancel();
    this.#commands.stop();
    this.#loop.stop();
    this.#watcher.stop();
    this.#probing.stop();
    this.#takeover.stop();
    this.#heartbeat.stop();
    this.#brake.stop();
    this.#watchdog.stop();
    this.#fencing.stop();
  }

  #onRecord(): void {
    const state = this.#state;
    this.#synchronous.keepStandby();
    void this.#takeover.onRecord();
    const generation = state.cluster?.value.generation;
    const held = state.held;
    if (held !== undefined && generation?.kind === 'present' && generation.value.n > held.n) {
      void this.#heartbeat.superseded(
        `generation ${generation.value.n} of ${generation.value.holder}`,
      );
    }
    this.#commands.onRecord();
    state.changed();
  }

  #twin(incarnation: string): void {
    const message = `another process writes the lease of ${this.#state.ports.settings.current().member.name} (incarnation ${incarnation})`;
    this.#state.ports.logger.log('error', message, {
      remedy:
        'give every member a name of its own, and run one agent for each; this one leaves Postgres alone and exits',
    });
    this.#end({ kind: 'twin', message });
  }

  settings(): ReturnType<AgentFacade['settings']> {
    return this.#state.ports.settings.current();
  }

  incarnation(): string {
    return this.#state.incarnation;
  }

  version(): string {
    return this.#state.ports.version;
  }

  status(): ReturnType<AgentFacade['status']> {
    return memberStatus(this.#state, this.#heartbeat.failsafe.active());
  }

  explain(): ReturnType<AgentFacade['explain']> {
    return explanation(this.#state);
  }

  cluster(): ReturnType<AgentFacade['cluster']> {
    const known = this.#state.cluster;
    if (known === undefined) return undefined;
    return { record: known.value, ageMillis: since(known.receivedAt, this.#state.now()) };
  }

  async readCluster(): ReturnType<AgentFacade['readCluster']> {
    await readStore(this.#state);
    return this.cluster();
  }

  peerReport(): ReturnType<AgentFacade['peerReport']> {
    // Whoever asks after the end of a lease needs to know what there is now, and will ask again.
    const view = this.#state.view();
    if (leaseIsFree(view) && syncTerms(view).kind !== 'off') void this.#probing.refresh();
    return peerReport(this.#state);
  }

  promise(request: PromiseRequest): PromiseReply {
    return this.#heartbeat.failsafe.promise(request);
  }

  withdraw(leaseId: string): void {
    this.#heartbeat.failsafe.withdrawn(leaseId);
  }

  alive(): boolean {
    return this.#loop.idleMillis() < longestQuietMillis(this.settings().policy.timing);
  }

  async submit(command: Command): Promise<CommandAnswer> {
    return this.#commands.submit(command);
  }
}

/** No server runs on the data directory of this host. */
const isAtRest = (found: GuardianState): boolean =>
  found.kind === 'present' ? found.postmaster.kind === 'down' : found.foreign === undefined;
