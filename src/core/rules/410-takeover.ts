import type { Rule, Verdict } from '../decision.ts';
import { holdsLease, role } from '../facts.ts';
import type { Memory } from '../memory.ts';
import { syncAfterTakeover } from '../sync-terms.ts';
import { judgeTakeover } from '../takeover.ts';
import { plus } from '../time.ts';
import type { View } from '../view.ts';

/** I2 and I6: the lease is over everywhere, this member is fit, and nobody who answers objects. */
export const takeover: Rule = {
  number: 410,
  name: 'takeover',
  when: "the leader's lease is over or released, and the own Postgres is a standby that may lead",
  evaluate(view, memory) {
    if (holdsLease(view) || role(view) !== 'standby') return undefined;
    const forced = view.command?.kind === 'failover' && view.command.candidate === view.self;
    const verdict = judgeTakeover(view, memory, forced);
    switch (verdict.kind) {
      case 'go':
        return {
          why: `takes over: ${verdict.why}`,
          actions: [
            { kind: 'takeover', n: verdict.n, basis: verdict.basis, sync: syncAfterTakeover(view) },
          ],
        };
      case 'canvass':
        return { why: verdict.why, actions: [{ kind: 'canvass' }] };
      case 'look':
        return { why: verdict.why, actions: [{ kind: 'probe' }], wakeAt: view.now };
      case 'floor':
        return {
          why: verdict.why,
          actions: [{ kind: 'raise-floor', n: verdict.n, id: verdict.id }],
        };
      case 'stale':
        return { why: verdict.why, actions: [{ kind: 'restart-observation', beat: verdict.beat }] };
      case 'defer':
        return deferring(view, memory, verdict);
      case 'votes':
        return {
          why: verdict.why,
          waitsFor: [verdict.waitsFor],
          actions: verdict.ask ? [{ kind: 'canvass' }] : [],
          wakeAt: verdict.until,
        };
      case 'wait':
      case 'no':
        return undefined;
    }
  },
};

function deferring(
  view: View,
  memory: Memory,
  verdict: { readonly to: string; readonly why: string; readonly until: typeof view.now },
): Verdict {
  const observedAt = view.observation?.seenAt ?? view.now;
  const known = memory.deferral?.observedAt === observedAt;
  return {
    why: verdict.why,
    waitsFor: [`${verdict.to} to take over, for a moment`],
    wakeAt: verdict.until < plus(view.now, 300) ? verdict.until : plus(view.now, 300),
    memory: known
      ? memory
      : { ...memory, deferral: { to: verdict.to, since: view.now, observedAt } },
  };
}
