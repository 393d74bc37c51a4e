import type { Rule, Verdict } from '../decision.ts';
import { holdsLease, role } from '../facts.ts';
import { leaseTooShort } from '../lease-left.ts';
import type { Memory } from '../memory.ts';
import { plus } from '../time.ts';
import type { Millis } from '../time.ts';
import type { View } from '../view.ts';

const ABSTAIN_MAX_MILLIS: Millis = 60_000;

export const leaderPromotes: Rule = {
  number: 320,
  name: 'leader-promotes',
  when: 'the lease is held and the own Postgres is a standby',
  evaluate(view, memory) {
    if (!holdsLease(view) || role(view) !== 'standby') return undefined;
    if (memory.failures?.kind === 'promote') {
      const retry = waitAfterFailure(view, memory.failures);
      return retry ?? stepBack(view, memory);
    }
    return (
      leaseTooShort(view) ?? {
        why: 'the lease is held: the standby is promoted',
        actions: [{ kind: 'promote' }],
      }
    );
  },
};

/** What says nothing against this server: it is tried again under the next beat. */
const TRANSIENT: ReadonlySet<string> = new Set([
  'lease-short',
  'lease-lost',
  'guardian-not-armed',
  'promise-binds',
]);
const TRANSIENT_TRIES_MAX = 20;

function waitAfterFailure(
  view: View,
  failures: NonNullable<Memory['failures']>,
): Verdict | undefined {
  if (!TRANSIENT.has(failures.code) || failures.count > TRANSIENT_TRIES_MAX) return undefined;
  const next = plus(failures.lastAt, view.settings.policy.timing.heartbeatMillis);
  if (view.now < next) {
    return {
      why: `the promotion was put off (${failures.code})`,
      waitsFor: ['the next acknowledged heartbeat'],
      wakeAt: next,
    };
  }
  return (
    leaseTooShort(view) ?? {
      why: 'the standby is promoted, next try',
      actions: [{ kind: 'promote' }],
    }
  );
}

/** P12: winning is not serving. Steps behind the others, for longer each time. */
function stepBack(view: View, memory: Memory): Verdict {
  const before = memory.abstain?.forMillis ?? view.settings.policy.timing.ttlMillis;
  const forMillis = Math.min(before * 2, ABSTAIN_MAX_MILLIS);
  return {
    why: 'promotion failed: Postgres is fenced and the lease released to the others',
    actions: [
      { kind: 'fence', cause: 'promotion-failed' },
      { kind: 'release', handoff: undefined, lsn: undefined, exclude: [view.self] },
    ],
    memory: {
      ...memory,
      failures: undefined,
      abstain: { until: plus(view.now, forMillis), forMillis },
    },
  };
}
