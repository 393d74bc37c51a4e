import type { AgentFacade } from '../agent/facade.ts';
import { encodePeerReport, promiseBody, withdrawBody } from '../wire/rest/peer.ts';
import { readBody } from './commands.ts';
import { error, json, type Handler } from './exchange.ts';

/** `GET /peer` */
export const peerHandler =
  (agent: AgentFacade): Handler =>
  () =>
    json(200, encodePeerReport(agent.peerReport()));

const foreign = (asked: string, own: string) =>
  error(409, 'wrong-scope', `this member belongs to ${own}, not to ${asked}`);

/**
 * `POST /failsafe`. A Patroni leader sends no lease, so that nothing could be promised to it: it
 * gets 400, and does not count on this member.
 */
export const promiseHandler =
  (agent: AgentFacade): Handler =>
  (call) => {
    const { scope, name } = agent.settings().member;
    const body = readBody(call.body, promiseBody, 'refused');
    if (!body.ok) return error(400, 'bad-request', body.error);
    if (body.value.scope !== scope) return foreign(body.value.scope, scope);
    const reply = agent.promise(body.value);
    if (reply.kind === 'refused')
      return json(409, { kind: 'refused', scope, name, why: reply.why });
    return json(200, {
      kind: 'promised',
      scope,
      name: reply.name,
      incarnation: reply.incarnation,
      lease_id: reply.leaseId,
      request: reply.request,
      seen_lease_id: reply.seenLeaseId ?? null,
      store_silent: reply.storeSilent,
    });
  };

/** `DELETE /failsafe` */
export const withdrawHandler =
  (agent: AgentFacade): Handler =>
  (call) => {
    const { scope, name } = agent.settings().member;
    const body = readBody(call.body, withdrawBody, 'refused');
    if (!body.ok) return error(400, 'bad-request', body.error);
    if (body.value.scope !== scope) return foreign(body.value.scope, scope);
    agent.withdraw(body.value.lease_id);
    return json(200, { scope, name });
  };
