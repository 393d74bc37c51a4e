import { findMember } from '../core/cluster.ts';
import { done, fail } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import type { Millis } from '../core/time.ts';
import type { AgentState } from './state.ts';

export const NAME_TAKEN = 'member-name-taken';

/** Whoever starts anew has the time; a Consul that does not answer forbids nothing. */
const READ_MILLIS: Millis = 1000;
const ASK_MILLIS: Millis = 1000;

/**
 * Whether another process lives under this member's name (C9): its key is held by a session, and what
 * answers at the address in it is not this process. One that is gone for good answers no more, though
 * its session may last for a while.
 */
export async function refuseTakenName(state: AgentState): Promise<Result<void>> {
  const { store, peers, settings, logger } = state.ports;
  const { name, apiUrl } = settings.current().member;
  const answer = await store.read(READ_MILLIS);
  if (answer.kind !== 'read') return done;
  const member = findMember(answer.record, name);
  if (member?.session === undefined || member.key.apiUrl === '') return done;
  const there = await peers.report({ name, apiUrl: member.key.apiUrl }, ASK_MILLIS);
  if (!there.ok || there.value.incarnation === state.incarnation) return done;
  logger.log('error', 'another process lives under the name of this member', {
    at: member.key.apiUrl,
    here: apiUrl,
  });
  return fail(
    NAME_TAKEN,
    `a member called ${name} already runs at ${member.key.apiUrl}`,
    'give every member a name, and a restapi.connect_address, of its own; or stop the other one first',
  );
}
