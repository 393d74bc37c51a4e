import type { Verdict } from './decision.ts';
import { since } from './time.ts';
import type { View } from './view.ts';

/**
 * What is begun under a lease needs enough of it: else it is fenced half-way. Of a paused lease too:
 * Consul has confirmed it lately, so nobody was let past it meanwhile. Undefined: enough is left.
 */
export function leaseTooShort(view: View): Verdict | undefined {
  const held = view.held;
  if (held === undefined) return undefined;
  const { heartbeatMillis, fenceBudgetMillis } = view.settings.policy.timing;
  const left = since(view.now, held.end);
  if (left >= 2 * heartbeatMillis + fenceBudgetMillis) return undefined;
  return {
    why: `the lease ends in ${Math.round(left)} ms, too soon to start or promote under it`,
    waitsFor: ['the next acknowledged heartbeat'],
  };
}
