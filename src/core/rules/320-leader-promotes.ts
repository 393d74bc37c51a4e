import { brakeDueAt } from '../brake.ts';
import type { Rule, Verdict } from '../decision.ts';
import { clusterIdentifier, holdsLease, record, role } from '../facts.ts';
import { leaseTooShort } from '../lease-left.ts';
import type { Memory } from '../memory.ts';
import { keepsEveryCommit, syncPromotion } from '../sync-duty.ts';
import { plus, since } from '../time.ts';
import type { Millis } from '../time.ts';
import type { View } from '../view.ts';
import { watchdogFault } from '../watchdog.ts';

/** Between two looks at what a promotion needs first. */
const RETRY_MILLIS: Millis = 100;
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
    return promotes(view, 'the lease is held: the standby is promoted');
  },
};

/** The device is just being made ready: it takes a moment, and nobody else would be quicker. */
function unwatched(view: View): Verdict | undefined {
  const why = watchdogFault(view.settings.watchdog, view.watchdog);
  if (why === undefined) return undefined;
  return { why, waitsFor: ['the watchdog device'], wakeAt: plus(view.now, RETRY_MILLIS) };
}

/** I9: it would acknowledge what is lost with a lease that nobody has renewed for so long. */
function unheard(view: View): Verdict | undefined {
  const { held, now } = view;
  const { heartbeatMillis } = view.settings.policy.timing;
  if (held === undefined || now < brakeDueAt(held, heartbeatMillis)) return undefined;
  if (keepsEveryCommit(view)) return undefined;
  return {
    why: `the lease was not renewed for ${Math.round(since(held.renewedAt ?? held.begunAt, now))} ms: what is written now may be lost`,
    waitsFor: ['the next acknowledged heartbeat', 'the promises of all members'],
    wakeAt: plus(now, RETRY_MILLIS),
  };
}

/** Its first commit already waits for whom it has to: that is arranged before. */
function promotes(view: View, why: string): Verdict {
  const unsafe = leaseTooShort(view) ?? unheard(view) ?? unwatched(view);
  if (unsafe !== undefined) return unsafe;
  const sync = syncPromotion(view, record(view), clusterIdentifier(view) !== undefined);
  if (sync.kind === 'ready') return { why, actions: [{ kind: 'promote', names: sync.names }] };
  return {
    why: sync.why,
    waitsFor: ['Consul to confirm key sync'],
    actions: sync.action === undefined ? [] : [sync.action],
    wakeAt: plus(view.now, RETRY_MILLIS),
  };
}

/** What says nothing against this server: it is tried again under the next beat. */
const TRANSIENT: ReadonlySet<string> = new Set([
  'lease-short',
  'lease-lost',
  'guardian-not-armed',
  'promise-binds',
  'watchdog-not-open',
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
  return promotes(view, 'the standby is promoted, next try');
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
