import type { FailoverRequest, Generation } from '../core/cluster.ts';
import { leader } from '../core/facts.ts';
import type { Leader } from '../core/facts.ts';
import type { Instant } from '../core/time.ts';
import type { CommandAnswer } from './facade.ts';
import type { AgentState } from './state.ts';

/** A request for another leader, left in Consul for the present one to find. */
export interface LeftRequest {
  readonly writtenAt: Instant;
  readonly candidate: FailoverRequest['candidate'];
  /** As it was then. */
  readonly generation: Generation | undefined;
}

/** What has become of it, as far as the record shows; undefined: nothing yet. */
export function outcomeOf(state: AgentState, left: LeftRequest): CommandAnswer | undefined {
  const current = leader(state.view());
  if (current?.serves !== true) return undefined;
  if (current.generation.id !== left.generation?.id) return ofChange(current, left);
  const seen = state.cluster;
  // A record from before shows no request either.
  const isGone =
    seen !== undefined && seen.receivedAt > left.writtenAt && seen.value.failover.kind === 'absent';
  if (!isGone) return undefined;
  return {
    kind: 'failed',
    message: `Switchover failed: ${current.name} dropped the request; its log and "pgbaton explain" say why`,
  };
}

function ofChange({ name }: Leader, { candidate, generation }: LeftRequest): CommandAnswer {
  if (name === generation?.holder && name !== candidate)
    return { kind: 'failed', message: `nobody took over; ${name} leads again` };
  const instead = candidate !== undefined && candidate !== name ? ` instead of "${candidate}"` : '';
  return {
    kind: 'done',
    message: `Successfully switched over to "${name}"${instead}`,
    details: { leader: name },
  };
}
