import type { JsonObject } from '../core/json.ts';
import { commandDocument, errorDocument } from '../wire/rest/commands.ts';
import type { CommandContext } from './context.ts';
import { exitCode } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import type { MemberAddress, RestAnswer, RestRequest, RestTrouble } from './rest.ts';

/** What became of something that a member was asked to do. */
export interface ActionResult {
  readonly member: string;
  /** `unreachable`: the member did not get it. `unknown`: it may have done it. */
  readonly outcome: 'done' | 'accepted' | 'refused' | 'failed' | 'unreachable' | 'unknown';
  /** HTTP status; undefined without an answer. */
  readonly status: number | undefined;
  readonly message: string;
  readonly hint: string | undefined;
  readonly details: JsonObject;
  /** The body, when it was JSON and no outcome: of Patroni, or a document. */
  readonly json?: unknown;
  /** Ctrl-C ended the waiting. */
  readonly interrupted?: true;
}

const EXIT: Readonly<Record<ActionResult['outcome'], ExitCode>> = {
  done: exitCode('done'),
  accepted: exitCode('done'),
  refused: exitCode('refused'),
  failed: exitCode('refused'),
  unreachable: exitCode('unreachable'),
  unknown: exitCode('unknown'),
};

export const exitCodeOf = (result: ActionResult): ExitCode => EXIT[result.outcome];

export const succeeded = (result: ActionResult): boolean =>
  result.outcome === 'done' || result.outcome === 'accepted';

const CREDENTIALS_HINT =
  'Give ctl.authentication (or restapi.authentication) with the username and password of the agents.';

function hintFor(status: number): string | undefined {
  if (status === 401) return CREDENTIALS_HINT;
  if (status === 403) {
    return 'The member lets only certain addresses or client certificates in: see restapi.allowlist and ctl.certfile.';
  }
  if (status === 400 || status === 422)
    return 'Nothing was changed: correct what the message names.';
  if (status === 404 || status === 501)
    return 'That member may run a version that does not know this command.';
  return undefined;
}

/** How agents, ours and Patroni's, say that they gave up waiting for something that may yet happen. */
const UNSETTLED = /status unknown|no outcome after|not confirmed|told to stop/i;

/** Outcome by status alone: agents of Patroni answer in plain text. */
function outcomeOf(status: number, text: string): ActionResult['outcome'] {
  if (status === 200) return 'done';
  if (status === 202) return 'accepted';
  if (status === 504 || UNSETTLED.test(text)) return 'unknown';
  return status < 500 || status === 503 ? 'refused' : 'failed';
}

const firstLine = (text: string): string => text.trim().split('\n')[0] ?? '';

/** Reads the answer of any agent, ours or Patroni's. */
function readAnswer(member: string, answer: RestAnswer): ActionResult {
  const { status } = answer;
  const hint = hintFor(status);
  const command = commandDocument.safeParse(answer.json);
  if (command.success) {
    const { message, details } = command.data;
    const unsettled = command.data.outcome === 'failed' && UNSETTLED.test(message);
    const outcome = unsettled ? 'unknown' : command.data.outcome;
    return { member, outcome, status, message, hint, details: details ?? {} };
  }
  const error = errorDocument.safeParse(answer.json);
  const message = error.success ? error.data.message : firstLine(answer.text);
  const outcome = outcomeOf(status, answer.text);
  const shown = message === '' ? `status ${status}` : message;
  return { member, outcome, status, message: shown, hint, details: {}, json: answer.json };
}

function readTrouble(member: string, trouble: RestTrouble): ActionResult {
  return {
    member,
    outcome: trouble.kind === 'unsent' ? 'unreachable' : 'unknown',
    status: undefined,
    message: trouble.message,
    hint: trouble.hint,
    details: {},
  };
}

/**
 * Sends a command and waits for its outcome. Ctrl-C ends the waiting, not the command: the outcome
 * is then unknown.
 */
export async function sendAction(
  context: CommandContext,
  member: MemberAddress,
  request: RestRequest,
): Promise<ActionResult> {
  const interrupt = new AbortController();
  // An open prompt would swallow Ctrl-C.
  context.prompter.close();
  const unsubscribe = context.terminal.onInterrupt(() => interrupt.abort());
  try {
    const answer = await context.rest.send(member, { ...request, signal: interrupt.signal });
    if (answer.ok) return readAnswer(member.name, answer.value);
    const result = readTrouble(member.name, answer.error);
    if (!interrupt.signal.aborted) return result;
    return {
      ...result,
      outcome: 'unknown',
      message: `interrupted while ${member.name} was at it; what was asked for goes on`,
      hint: 'See "pgbaton list".',
      interrupted: true,
    };
  } finally {
    unsubscribe();
  }
}
