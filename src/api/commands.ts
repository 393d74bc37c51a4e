import type { z } from 'zod';
import type { AgentFacade, Command, CommandAnswer } from '../agent/facade.ts';
import { valueOf } from '../core/cluster.ts';
import { needsCandidate } from '../core/pause.ts';
import { err, ok, type Result } from '../core/result.ts';
import {
  abandonBody,
  configBody,
  failoverBody,
  reinitializeBody,
  restartBody,
  type CommandDocument,
} from '../wire/rest/commands.ts';
import { parseJsonText } from '../wire/rest/json-text.ts';
import { describeProblem } from '../wire/rest/values.ts';
import { json, outcome, type Call, type Handler, type Reply } from './exchange.ts';

type RefusalCause = Extract<CommandAnswer, { kind: 'refused' }>['cause'];

/** HTTP status of each outcome of one command, as Patroni's clients know them. */
interface StatusCodes {
  readonly done: number;
  readonly accepted: number;
  readonly failed: number;
  readonly refused: Readonly<Record<RefusalCause, number>>;
}

const UNAVAILABLE = {
  precondition: 503,
  invalid: 400,
  busy: 503,
  conflict: 409,
  'not-configured': 503,
} as const;

const USUAL: StatusCodes = { done: 200, accepted: 202, failed: 503, refused: UNAVAILABLE };

const CODES: Readonly<Record<Command['kind'], StatusCodes>> = {
  switchover: { ...USUAL, refused: { ...UNAVAILABLE, precondition: 412 } },
  failover: { ...USUAL, refused: { ...UNAVAILABLE, precondition: 412 } },
  abandon: { ...USUAL, refused: { ...UNAVAILABLE, precondition: 412 } },
  restart: USUAL,
  // patronictl reads 200 as "no changes to apply".
  reload: { ...USUAL, done: 202 },
  // Clients poll /patroni from here on; they know no 202.
  reinitialize: { ...USUAL, accepted: 200 },
  'patch-config': USUAL,
  'replace-config': { ...USUAL, failed: 502 },
};

/** What each answer says of itself in the document. */
function documentOf(answer: CommandAnswer): CommandDocument {
  const { kind, message } = answer;
  if (answer.kind === 'done') return { outcome: 'done', message, details: answer.details };
  if (answer.kind === 'refused') return { outcome: 'refused', message, cause: answer.cause };
  return { outcome: kind, message };
}

function answerTo(call: Call, kind: Command['kind'], answer: CommandAnswer): Reply {
  const codes = CODES[kind];
  const status = answer.kind === 'refused' ? codes.refused[answer.cause] : codes[answer.kind];
  return outcome(call, status, documentOf(answer));
}

/** Nothing was handed to the agent. */
const refuse = (call: Call, status: number, message: string): Reply =>
  outcome(call, status, { outcome: 'refused', cause: 'invalid', message });

/** The body in the form of `schema`; a text about what is wrong with it otherwise. */
export function readBody<T extends z.ZodType>(
  body: string,
  schema: T,
  emptyIs: 'refused' | 'empty object',
): Result<z.output<T>, string> {
  if (body.trim() === '') {
    if (emptyIs === 'refused') return err('the request has no body: a JSON object is expected');
    return checked(schema, {});
  }
  const parsed = parseJsonText(body);
  if (!parsed.ok) return err(`the request body is ${parsed.error.message}`);
  const value = parsed.value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return err('the request body is no JSON object');
  }
  if (emptyIs === 'refused' && Object.keys(value).length === 0) {
    return err('the request body is an empty object');
  }
  return checked(schema, value);
}

function checked<T extends z.ZodType>(schema: T, value: unknown): Result<z.output<T>, string> {
  const result = schema.safeParse(value);
  return result.success ? ok(result.data) : err(describeProblem(result.error));
}

const NOT_SCHEDULED = 'scheduled actions are not supported yet: ask when it shall happen';

type FailoverRequest = z.output<typeof failoverBody>;

/** A failover that names the leader is a switchover, as in Patroni. */
function failoverCommand(
  asked: 'switchover' | 'failover',
  body: FailoverRequest,
  paused: boolean,
): Result<Command, string> {
  const { leader, candidate, holderIsDown } = body;
  if (asked === 'failover' && candidate === undefined) {
    return err('Failover could be performed only to a specific candidate');
  }
  if (asked === 'switchover' && leader === undefined) {
    return err('Switchover could be performed only from a specific leader');
  }
  if (body.scheduledAt !== undefined) {
    return err(paused ? `Can't schedule ${asked} in the paused state` : NOT_SCHEDULED);
  }
  if (paused && candidate === undefined) return err(needsCandidate(asked));
  if (leader !== undefined && leader === candidate) {
    return err('Switchover target and source are the same');
  }
  if (leader !== undefined) return ok({ kind: 'switchover', leader, candidate });
  // The first check leaves no failover without a candidate.
  return ok({
    kind: 'failover',
    candidate: candidate ?? '',
    ...(holderIsDown && { holderIsDown }),
  });
}

const failoverHandler =
  (agent: AgentFacade, asked: 'switchover' | 'failover'): Handler =>
  async (call) => {
    const body = readBody(call.body, failoverBody, 'refused');
    if (!body.ok) return refuse(call, 400, body.error);
    const command = failoverCommand(asked, body.value, agent.status().paused);
    if (!command.ok) return refuse(call, 400, command.error);
    return answerTo(call, command.value.kind, await agent.submit(command.value));
  };

const restartHandler =
  (agent: AgentFacade): Handler =>
  async (call) => {
    const body = readBody(call.body, restartBody, 'empty object');
    if (!body.ok) return refuse(call, 400, body.error);
    if (body.value.schedule !== undefined) {
      return agent.status().paused
        ? refuse(call, 500, "Can't schedule restart in the paused state")
        : refuse(call, 400, NOT_SCHEDULED);
    }
    const answer = await agent.submit({
      kind: 'restart',
      onlyIfPending: body.value.onlyIfPending,
      onlyIfRole: body.value.role,
      onlyIfVersionBelow: body.value.postgresVersion,
      timeoutMillis: body.value.timeoutMillis,
    });
    return answerTo(call, 'restart', answer);
  };

const abandonHandler =
  (agent: AgentFacade): Handler =>
  async (call) => {
    const body = readBody(call.body, abandonBody, 'refused');
    if (!body.ok) return refuse(call, 400, body.error);
    return answerTo(call, 'abandon', await agent.submit({ kind: 'abandon' }));
  };

const reinitializeHandler =
  (agent: AgentFacade): Handler =>
  async (call) => {
    const body = readBody(call.body, reinitializeBody, 'empty object');
    if (!body.ok) return refuse(call, 400, body.error);
    return answerTo(
      call,
      'reinitialize',
      await agent.submit({ kind: 'reinitialize', ...body.value }),
    );
  };

const patchConfigHandler =
  (agent: AgentFacade): Handler =>
  async (call) => {
    const body = readBody(call.body, configBody, 'refused');
    if (!body.ok) return refuse(call, 400, body.error);
    const answer = await agent.submit({ kind: 'patch-config', patch: body.value });
    if (answer.kind !== 'done') return answerTo(call, 'patch-config', answer);
    // The agent answers with the whole new configuration.
    return json(200, answer.details);
  };

const replaceConfigHandler =
  (agent: AgentFacade): Handler =>
  async (call) => {
    const body = readBody(call.body, configBody, 'refused');
    if (!body.ok) return refuse(call, 400, body.error);
    const answer = await agent.submit({ kind: 'replace-config', config: body.value });
    if (answer.kind !== 'done') return answerTo(call, 'replace-config', answer);
    return json(200, body.value);
  };

const nothingScheduled =
  (message: string): Handler =>
  (call) =>
    outcome(call, 404, { outcome: 'refused', cause: 'precondition', message });

/** Only another tool can have scheduled one; saying "none" then would be untrue. */
const cancelSwitchoverHandler =
  (agent: AgentFacade): Handler =>
  (call) => {
    const record = agent.cluster()?.record;
    const request = record === undefined ? undefined : valueOf(record.failover);
    if (request?.scheduledAt === undefined) {
      return nothingScheduled('no failover is scheduled')(call);
    }
    const message = 'scheduled actions are not supported yet: delete the key failover in Consul';
    return outcome(call, 503, { outcome: 'refused', cause: 'precondition', message });
  };

/** The commands: bodies become a Command, what the agent answers becomes Patroni's status and text. */
export function commandHandlers(agent: AgentFacade) {
  return {
    switchover: failoverHandler(agent, 'switchover'),
    failover: failoverHandler(agent, 'failover'),
    abandon: abandonHandler(agent),
    'cancel-switchover': cancelSwitchoverHandler(agent),
    'cancel-failover': cancelSwitchoverHandler(agent),
    restart: restartHandler(agent),
    'cancel-restart': nothingScheduled('no restarts are scheduled'),
    reload: async (call: Call) => answerTo(call, 'reload', await agent.submit({ kind: 'reload' })),
    reinitialize: reinitializeHandler(agent),
    'patch-config': patchConfigHandler(agent),
    'replace-config': replaceConfigHandler(agent),
  };
}
