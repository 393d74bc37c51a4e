import { setTimeout as delay } from 'node:timers/promises';
import type { Result } from '../../core/result.ts';
import { statusDocument } from '../../wire/rest/status.ts';
import type { StatusDocument } from '../../wire/rest/status.ts';
import { sendAction, succeeded } from '../actions.ts';
import type { ActionResult } from '../actions.ts';
import { confirmOrAbort, mustBeAbleToAsk } from '../confirm.ts';
import type { CommandContext } from '../context.ts';
import { findMember, resolveMembers } from '../lookup.ts';
import type { Selection } from '../lookup.ts';
import { readFromMember } from '../member-read.ts';
import type { MemberView } from '../members.ts';
import { failed } from '../outcome.ts';
import type { CliFailure, Outcome } from '../outcome.ts';
import { concludeResults, tellResult } from '../report.ts';
import { examples, secondsOption } from '../runner.ts';
import type { Register } from '../runner.ts';
import { showTopology } from '../show-topology.ts';

const REQUEST_TIMEOUT_MILLIS = 15_000;
const POLL_MILLIS = 1_000;
const DEFAULT_WAIT_SECONDS = 24 * 3600;
/** A clone is taken as begun after this time even if it was never seen at work. */
const BEGIN_MILLIS = 10_000;
/** So long an agent may be silent before its outcome counts as unknown. */
const SILENCE_MILLIS = 60_000;

interface ReinitOptions {
  readonly force?: boolean;
  readonly fromLeader?: boolean;
  readonly wait?: boolean;
  readonly waitTimeout?: number;
}

async function chooseMembers(
  context: CommandContext,
  selection: Selection,
): Promise<Result<readonly MemberView[], CliFailure>> {
  if (selection.named.length > 0) return { ok: true, value: selection.named };
  const replicas = selection.members.filter(({ role }) => !role.endsWith('leader'));
  const names = replicas.map(({ name }) => name).join(', ');
  if (!context.prompter.interactive) {
    return failed(
      'usage',
      'No member to reinitialize is named.',
      replicas.length === 0 ? 'There are no replicas.' : `The replicas are: ${names}.`,
    );
  }
  const answer = await context.prompter.ask(`Which member do you want to reinitialize (${names})`);
  if (!answer.ok) return answer;
  const member = findMember(selection, answer.value);
  return member.ok ? { ok: true, value: [member.value] } : member;
}

function request(
  context: CommandContext,
  member: MemberView,
  body: { readonly force: boolean; readonly from_leader: boolean },
): Promise<ActionResult> {
  return sendAction(context, member, {
    method: 'POST',
    path: '/reinitialize',
    body,
    timeoutMillis: REQUEST_TIMEOUT_MILLIS,
  });
}

/** Asks whether to cancel what runs there, and does, when that is the obstacle. */
async function reinitOne(
  context: CommandContext,
  member: MemberView,
  options: ReinitOptions,
): Promise<ActionResult> {
  const fromLeader = options.fromLeader === true;
  const force = options.force === true;
  const first = await request(context, member, { force, from_leader: fromLeader });
  if (succeeded(first) || !/already in progress/i.test(first.message)) return first;
  if (force || !context.prompter.interactive) return first;
  const again = await context.prompter.confirm(
    `${member.name}: ${first.message}. Do you want to cancel it and reinitialize anyway?`,
  );
  if (!again.ok || !again.value) return first;
  return request(context, member, { force: true, from_leader: fromLeader });
}

const isWorking = (status: StatusDocument): boolean =>
  status.state === 'creating replica' || (status.pgbaton?.job ?? null) !== null;

/** What the agent says of the work it is at, for a line of progress. */
function progressOf(status: StatusDocument): string {
  const job = status.pgbaton?.job ?? undefined;
  if (job === undefined) return status.state;
  return [status.state, job.kind, job.progress].filter(Boolean).join(', ');
}

/** Waits until the member runs again; bounded by the time given, and by how long it may be silent. */
async function waitForClone(
  context: CommandContext,
  member: MemberView,
  seconds: number,
): Promise<ActionResult> {
  const begun = performance.now();
  const past = (): number => performance.now() - begun;
  const result = (outcome: ActionResult['outcome'], message: string): ActionResult => {
    const hint = `"pgbaton explain ${member.name}" tells what it is doing.`;
    return { member: member.name, outcome, status: undefined, message, hint, details: {} };
  };
  const interrupt = new AbortController();
  const unsubscribe = context.terminal.onInterrupt(() => interrupt.abort());
  let told = '';
  let seenWorking = false;
  let lastAnswer = 0;
  try {
    while (past() < seconds * 1000) {
      if (interrupt.signal.aborted)
        return result('unknown', 'interrupted; the reinitialization goes on');
      const status = await readFromMember(context, member, '/patroni', statusDocument);
      if (status.ok) {
        lastAnswer = past();
        const progress = progressOf(status.value);
        if (progress !== told && context.format === 'pretty') {
          context.terminal.err(`${member.name}: ${progress}\n`);
        }
        told = progress;
        const working = isWorking(status.value);
        seenWorking ||= working;
        const begunLongAgo = seenWorking || past() > BEGIN_MILLIS;
        if (!working && begunLongAgo && status.value.state === 'running') {
          return result('done', 'reinitialized');
        }
        if (!working && begunLongAgo && /failed/.test(status.value.state)) {
          return result('failed', `ended in state "${status.value.state}"`);
        }
      } else if (past() - lastAnswer > SILENCE_MILLIS) {
        return result('unknown', status.error);
      }
      await delay(POLL_MILLIS);
    }
    return result('unknown', `still not done after ${seconds} seconds`);
  } finally {
    unsubscribe();
  }
}

async function reinit(
  context: CommandContext,
  words: readonly string[],
  options: ReinitOptions,
): Promise<Outcome> {
  const selection = await resolveMembers(context, words);
  if (!selection.ok) return selection;
  const askable = mustBeAbleToAsk(context, options.force === true);
  if (!askable.ok) return askable;
  showTopology(context, selection.value);
  const members = await chooseMembers(context, selection.value);
  if (!members.ok) return members;
  const names = members.value.map(({ name }) => name).join(', ');
  const agreed = await confirmOrAbort(
    context,
    options.force === true,
    `Are you sure you want to reinitialize members ${names}? Their data is copied anew`,
  );
  if (!agreed.ok) return agreed;
  const results: ActionResult[] = [];
  for (const member of members.value) {
    const result = await reinitOne(context, member, options);
    tellResult(context, result, `Success: reinitialize for member ${member.name}`);
    results.push(result);
  }
  if (options.wait !== true) {
    return concludeResults(context, selection.value.scope, 'reinitialize', results);
  }
  context.prompter.close();
  const seconds = options.waitTimeout ?? DEFAULT_WAIT_SECONDS;
  const finished = await Promise.all(
    members.value.map(async (member, index) => {
      const started = results[index];
      if (started !== undefined && !succeeded(started)) return started;
      return waitForClone(context, member, seconds);
    }),
  );
  finished.forEach((result, index) => {
    if (results[index]?.outcome !== result.outcome || succeeded(result)) {
      tellResult(context, result, `Reinitialize is completed on: ${result.member}`);
    }
  });
  return concludeResults(context, selection.value.scope, 'reinitialize', finished);
}

export const registerReinit: Register = (program, runner) => {
  const command = program
    .command('reinit')
    .description('copy the data of a replica anew')
    .argument('[names...]', 'cluster (if the configuration has no scope), then members')
    .option('--from-leader', 'copy from the leader, not from another replica')
    .option('--wait', 'wait until it has ended')
    .option(
      '--wait-timeout <seconds>',
      'how long to wait at most (default: a day)',
      secondsOption(1),
    )
    .option('--force', 'do not ask, and cancel what runs there')
    .addHelpText(
      'after',
      examples('pgbaton reinit batman node2', 'pgbaton reinit batman node2 --wait --force'),
    )
    .action((words: readonly string[], options: ReinitOptions) =>
      runner.withContext(command, (context) => reinit(context, words, options)),
    );
};
