import type { Rule } from '../decision.ts';
import { holdsLease, role } from '../facts.ts';
import { giveUp } from '../give-up.ts';
import { later, plus, since } from '../time.ts';

/** Up and silent: starting, recovering, shutting down, or hung. */
export const leaderStarting: Rule = {
  number: 330,
  name: 'leader-starting',
  when: 'the lease is held and the own Postgres does not answer',
  evaluate(view) {
    if (!holdsLease(view) || role(view) !== 'unanswered' || view.postmaster.kind !== 'up')
      return undefined;
    const timeout = view.settings.policy.timing.primaryStartTimeoutMillis;
    // Silence counts from the last answer, for as long as this process has listened: one answer that
    // a healthy server misses is no reason to kill it.
    const listenedSince = later(view.postmaster.startedAt, view.startedAt);
    const forMillis = since(view.answeredAt ?? listenedSince, view.now);
    const said =
      view.probe?.value.kind === 'answered'
        ? 'answered before'
        : (view.probe?.value.reason ?? 'not asked yet');
    // A server that turns this agent away serves others; one that nobody could replace may take its time.
    const isLate = timeout > 0 && forMillis > timeout && view.probe?.value.kind !== 'refusing';
    if (isLate) {
      const late = `Postgres has not accepted connections for ${Math.round(forMillis / 1000)} s, longer than primary_start_timeout (${said})`;
      const givenUp = giveUp(view, late, { kind: 'fence', cause: 'start-timeout' });
      if (givenUp !== undefined) return givenUp;
    }
    return {
      why: `Postgres is up and does not accept connections${isLate ? ', and nobody else can take over' : ' yet'}: ${said}`,
      waitsFor: ['Postgres to answer'],
      wakeAt: plus(view.now, 100),
    };
  },
};
