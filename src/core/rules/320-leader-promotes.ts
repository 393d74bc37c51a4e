import type { Rule } from '../decision.ts';
import { holdsLease, role } from '../facts.ts';
import { since } from '../time.ts';

export const leaderPromotes: Rule = {
  number: 320,
  name: 'leader-promotes',
  when: 'the lease is held and the own Postgres is a standby',
  evaluate(view, memory) {
    const held = view.held;
    if (held === undefined || !holdsLease(view) || role(view) !== 'standby') return undefined;
    if (memory.failures?.kind === 'promote') {
      const forMillis = Math.min(
        (memory.abstain?.forMillis ?? view.settings.policy.timing.ttlMillis) * 2,
        60_000,
      );
      return {
        why: 'promotion failed: Postgres is fenced and the lease released to the others',
        actions: [
          { kind: 'fence', cause: 'promotion-failed' },
          { kind: 'release', handoff: undefined, lsn: undefined, exclude: [view.self] },
        ],
        memory: {
          ...memory,
          failures: undefined,
          abstain: { until: (view.now + forMillis) as typeof view.now, forMillis },
        },
      };
    }
    const { heartbeatMillis, fenceBudgetMillis } = view.settings.policy.timing;
    const left = since(view.now, held.end);
    if (left < 2 * heartbeatMillis + fenceBudgetMillis) {
      return {
        why: `the lease ends in ${Math.round(left)} ms, too soon to promote under it`,
        waitsFor: ['the next heartbeat'],
      };
    }
    return { why: 'the lease is held: the standby is promoted', actions: [{ kind: 'promote' }] };
  },
};
