import { BITE_MILLIS, BRAKE_NAMES, brakeDueAt, brakeWish } from '../core/brake.ts';
import type { BrakeFacts, BrakeState } from '../core/brake.ts';
import { server } from '../core/facts.ts';
import { keepsEveryCommit } from '../core/sync-duty.ts';
import { since } from '../core/time.ts';
import type { Instant, Millis } from '../core/time.ts';
import { sleep } from '../ports/clock.ts';
import type { CommitHold } from '../ports/postgres.ts';
import { mayBeWritable } from './fencing.ts';
import { Pacer } from './pacer.ts';
import type { AgentState } from './state.ts';

const RETRY_MILLIS: Millis = 20;
const PROMOTING_MILLIS: Millis = 50;

/**
 * The hand of the commit brake (I9). Like the fence it waits for no decision, no job and no Consul:
 * it looks at the lease whenever that changes, and when the brake is due.
 */
export class Brake {
  readonly #state: AgentState;
  readonly #pacer: Pacer;
  /** The server that all of this is about: one that is started has no brake on. */
  #pid: number | undefined;
  /** Nothing is held by this process, nor by one before it or beside it. */
  #clean = false;
  /** The last renewal that was seen, and the pace of heartbeats then. */
  #renewed: {
    readonly id: string | undefined;
    readonly at: Instant | undefined;
    readonly heartbeatMillis: Millis;
  } = { id: undefined, at: undefined, heartbeatMillis: 0 };
  #since: Instant | undefined;
  #releasedAt: Instant | undefined;

  constructor(state: AgentState) {
    this.#state = state;
    this.#pacer = new Pacer(state.ports.clock, async () => this.#step());
  }

  /** The held lease has changed: what waits for that is not kept waiting. */
  poke(): void {
    this.#pacer.poke();
  }

  stop(): void {
    this.#pacer.stop();
  }

  async #step(): Promise<Millis | undefined> {
    const postmaster = this.#state.postmaster();
    const pid = postmaster.kind === 'up' ? postmaster.pid : undefined;
    if (pid !== this.#pid) this.#forget(pid);
    if (pid === undefined) return undefined;
    const facts = this.#facts();
    const wish = brakeWish(facts);
    if (this.#isShownByAnother()) this.#clean = false;
    if (wish === 'hold' && this.#state.brake === 'off') await this.#hold(pid);
    const mayBeOn = this.#state.brake !== 'off' || (facts.mayBeWritable && !this.#clean);
    if (wish === 'release' && mayBeOn) await this.#release();
    return this.#pause();
  }

  #facts(): BrakeFacts {
    const state = this.#state;
    const { held } = state;
    return {
      now: state.now(),
      held,
      heartbeatMillis: this.#pace(),
      mayBeWritable: held !== undefined && mayBeWritable(state, held.id),
      losesNothing: keepsEveryCommit(state.view()),
    };
  }

  /** A heartbeat that was to come at a longer pace is not late because that has become shorter. */
  #pace(): Millis {
    const { held, ports } = this.#state;
    const { heartbeatMillis } = ports.settings.current().policy.timing;
    if (held?.renewedAt !== this.#renewed.at || held?.id !== this.#renewed.id)
      this.#renewed = { id: held?.id, at: held?.renewedAt, heartbeatMillis };
    return Math.max(heartbeatMillis, this.#renewed.heartbeatMillis);
  }

  /** Put on by a process that has stood still and does not know yet that this one has replaced it. */
  #isShownByAnother(): boolean {
    const { brake, probe } = this.#state;
    const facts = server(this.#state.view());
    if (brake !== 'off' || facts?.synchronousStandbyNames !== BRAKE_NAMES) return false;
    return probe !== undefined && probe.askedAt >= (this.#releasedAt ?? probe.askedAt);
  }

  #forget(pid: number | undefined): void {
    this.#pid = pid;
    this.#clean = false;
    this.#set('off');
  }

  async #hold(pid: number): Promise<void> {
    const { postgres } = this.#state.ports;
    this.#clean = false;
    this.#since ??= this.#state.now();
    const hold = await postgres.holdCommits(BITE_MILLIS);
    if (!this.#isStillWanted(pid)) return;
    if (hold.kind === 'waits') this.#bites(hold);
    else if (hold.kind === 'unseen') await this.#freeze(pid, hold.why);
    // Told already, it waits from its first commit on; that is looked at once it can commit.
    else await sleep(this.#state.ports.clock, PROMOTING_MILLIS);
  }

  #isStillWanted(pid: number): boolean {
    const postmaster = this.#state.postmaster();
    const same = postmaster.kind === 'up' && postmaster.pid === pid;
    return same && brakeWish(this.#facts()) === 'hold';
  }

  #bites(hold: Extract<CommitHold, { kind: 'waits' }>): void {
    this.#note('held', 'no commit is acknowledged until the lease is renewed', undefined);
    void hold.ended.then(() => {
      // Somebody has let it go who was not asked to: whether others wait still is not known.
      if (this.#state.brake !== 'held') return;
      this.#set('off');
      this.poke();
    });
  }

  /** It was not seen to bite: only a server that stands still is known to acknowledge nothing. */
  async #freeze(pid: number, why: string): Promise<void> {
    const frozen = await this.#state.ports.guardian.freeze();
    // It has just ended, or is being fenced: nobody acknowledges anything.
    if (!frozen.ok && frozen.error.code === 'postmaster-not-running') return;
    if (!frozen.ok) {
      this.#state.ports.logger.log('error', 'commits can be neither held nor frozen, tries again', {
        reason: why,
        frozen: frozen.error.message,
      });
      return;
    }
    if (this.#isStillWanted(pid)) this.#note('frozen', 'Postgres stands still, as commits', why);
    else await this.#state.ports.guardian.thaw();
  }

  #note(how: 'held' | 'frozen', message: string, reason: string | undefined): void {
    const { logger, meter } = this.#state.ports;
    const { held } = this.#state;
    const renewedAt = held?.renewedAt;
    this.#set(how);
    meter.count('commit_brakes_total', { how });
    logger.log('warn', message, {
      generation: held?.n,
      not_renewed_ms:
        renewedAt === undefined ? undefined : Math.round(since(renewedAt, this.#state.now())),
      took_ms: this.#tookMillis(),
      reason,
    });
  }

  #tookMillis(): Millis | undefined {
    return this.#since === undefined
      ? undefined
      : Math.round(since(this.#since, this.#state.now()));
  }

  async #release(): Promise<void> {
    const { postgres, guardian, logger } = this.#state.ports;
    const [released, thawed] = await Promise.all([postgres.releaseCommits(), guardian.thaw()]);
    this.#releasedAt = this.#state.now();
    // What runs again is frozen no more, whether or not its commits still wait: it may have to be again.
    if (thawed.ok && !released.ok && this.#state.brake === 'frozen') this.#set('off');
    const failed = [released, thawed].find((result) => !result.ok);
    if (failed !== undefined) {
      const reason = failed.error.message;
      logger.log('error', 'commits may still be held, tries again', { reason });
      return;
    }
    if (this.#state.brake !== 'off') {
      logger.log('info', 'the lease was renewed: commits are acknowledged again', {
        how: this.#state.brake,
        for_ms: this.#tookMillis(),
      });
    }
    this.#clean = true;
    this.#set('off');
  }

  #set(brake: BrakeState): void {
    if (brake === 'off') this.#since = undefined;
    if (this.#state.brake === brake) return;
    this.#state.brake = brake;
    this.#state.changed();
  }

  /** Until the brake is due; past that it looks often, whether or not something tells it to. */
  #pause(): Millis | undefined {
    const { held } = this.#state;
    // Whatever ends a pause tells.
    if (held === undefined || held.paused) return undefined;
    return Math.max(RETRY_MILLIS, since(this.#state.now(), brakeDueAt(held, this.#pace())));
  }
}
