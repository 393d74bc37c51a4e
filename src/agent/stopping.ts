import type { Lsn } from '../core/lsn.ts';
import { fail } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { since } from '../core/time.ts';
import type { Instant, Millis } from '../core/time.ts';
import type { PeerOpinion } from '../core/view.ts';
import { canvass } from './canvass.ts';
import type { AgentState } from './state.ts';

/** A stop ends in a moment; what takes longer is looked into this often. */
const LOOK_EVERY_MILLIS: Millis = 500;
/** Standbys that are there have the last record long before. */
const RECEIVERS_MILLIS: Millis = 2000;
/** Nobody writes while a hand-over stops the primary: that bears less than an operator's stop does. */
const HAND_OVER_MILLIS: Millis = 20_000;

/** Ends Postgres, within the bounds of the policy, and no later than is of any use. */
export class Stopping {
  readonly #state: AgentState;

  constructor(state: AgentState) {
    this.#state = state;
  }

  async stop(mode: 'fast' | 'immediate'): Promise<Result<void>> {
    const { guardian, settings, postgres } = this.#state.ports;
    const current = settings.current();
    const { pgCtlTimeoutMillis, beforeStop } = current.postgres;
    if (beforeStop !== undefined) await postgres.runHook(beforeStop, [], pgCtlTimeoutMillis);
    if (mode === 'immediate') return guardian.stop('immediate', pgCtlTimeoutMillis);
    const ownBound = current.policy.timing.primaryStopTimeoutMillis;
    const usual =
      this.#state.memory.handover === undefined
        ? pgCtlTimeoutMillis
        : Math.min(pgCtlTimeoutMillis, HAND_OVER_MILLIS);
    const stopped = await this.#fast(ownBound > 0 ? ownBound : usual);
    if (stopped.ok || ownBound === 0) return stopped;
    return guardian.stop('immediate', pgCtlTimeoutMillis);
  }

  /**
   * A server writes that it was shut down, and after that it only waits for the receivers of its log: one
   * whose host is gone keeps it for wal_sender_timeout, a standby like a primary. Cut off then it has
   * ended cleanly all the same.
   */
  async #fast(boundMillis: Millis): Promise<Result<void>> {
    const { guardian, logger, settings, postgres } = this.#state.ports;
    const begun = this.#state.now();
    let writtenAt: Instant | undefined;
    for (;;) {
      const leftMillis = boundMillis - since(begun, this.#state.now());
      if (leftMillis <= 0) {
        return fail('stop-timed-out', `Postgres has not ended ${boundMillis} ms after a fast stop`);
      }
      const stopped = await guardian.stop('fast', Math.min(leftMillis, LOOK_EVERY_MILLIS));
      if (stopped.ok || stopped.error.code !== 'stop-timed-out') return stopped;
      const last = await this.#lastRecord();
      if (last === undefined) continue;
      writtenAt ??= this.#state.now();
      const waitedMillis = since(writtenAt, this.#state.now());
      // A segment that is not archived now may be so by nobody: recovery to a moment would end there.
      if (await postgres.hasUnarchivedLog()) continue;
      if (!(await this.#isEnough(last, waitedMillis))) continue;
      logger.log('warn', 'the stop waits for no receiver of the log any more', {
        after_ms: Math.round(since(begun, this.#state.now())),
      });
      return guardian.stop('immediate', settings.current().postgres.pgCtlTimeoutMillis);
    }
  }

  /** Its last checkpoint, once the server has written that it was shut down. */
  async #lastRecord(): Promise<Lsn | undefined> {
    const directory = await this.#state.ports.postgres.inspectDataDirectory();
    if (directory.kind !== 'cluster') return undefined;
    const { state, checkpointLsn } = directory.control;
    return state === 'shut down' || state === 'shut down in recovery' ? checkpointLsn : undefined;
  }

  /** Whoever is to lead has the last record; where nobody is, they have had the time to get it. */
  async #isEnough(last: Lsn, waitedMillis: Millis): Promise<boolean> {
    const { handover } = this.#state.memory;
    if (handover?.candidate === undefined) return waitedMillis >= RECEIVERS_MILLIS;
    await canvass(this.#state);
    const opinions = this.#state.canvass?.opinions ?? [];
    const candidate = opinions.find(({ name }) => name === handover.candidate);
    if (candidate !== undefined && hasAll(candidate, last)) return true;
    if (candidate?.report?.role === 'standby' || waitedMillis < RECEIVERS_MILLIS) return false;
    const another = opinions.find(
      (opinion) => hasAll(opinion, last) && opinion.report?.canTakeOver.able === true,
    );
    if (another === undefined) return false;
    const { logger } = this.#state.ports;
    logger.log('warn', 'the candidate is gone: hands over to another one that has the whole log', {
      candidate: handover.candidate,
      instead: another.name,
    });
    const { memory } = this.#state;
    this.#state.memory = { ...memory, handover: { ...handover, candidate: another.name } };
    return true;
  }
}

const hasAll = ({ report }: PeerOpinion, last: Lsn): boolean =>
  report?.role === 'standby' && report.lsn !== undefined && report.lsn > last;
