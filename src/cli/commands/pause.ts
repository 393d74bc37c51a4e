import type { Command } from 'commander';
import type { ClusterRecord } from '../../core/cluster.ts';
import type { Result } from '../../core/result.ts';
import { sendAction, succeeded, exitCodeOf } from '../actions.ts';
import type { ActionResult } from '../actions.ts';
import type { CommandContext } from '../context.ts';
import { readConfig } from '../dynamic-config.ts';
import { resolveCluster } from '../lookup.ts';
import type { FoundCluster } from '../lookup.ts';
import { done, failed } from '../outcome.ts';
import type { CliFailure, Outcome } from '../outcome.ts';
import { awaitEndOfPause, pausedHolder, stillPaused, watchRecord } from '../paused-lease.ts';
import { examples, secondsOption } from '../runner.ts';
import type { Register, Runner } from '../runner.ts';
import type { RestRequest } from '../rest.ts';

/** Longer than an agent tries to reach Consul, by default; whoever waits for a frozen one is a person. */
const CONFIGURE_MILLIS = 8_000;
const ABANDON_MILLIS = 15_000;
const DEFAULT_WAIT_SECONDS = 15;

interface PauseOptions {
  readonly wait?: boolean;
  readonly waitTimeout?: number;
  readonly force?: boolean;
}

type Verb = 'pause' | 'resume';
type Step<T> = Promise<Result<T, CliFailure>>;

interface Sending {
  /** Asked only when nobody else can be. */
  readonly last?: string;
  /** Done twice it is the same: who does not answer, as a frozen agent, keeps nobody from asking the next. */
  readonly repeatable?: true;
}

/** The first member that can be reached, of the best order, gets it. */
async function sendToFirst(
  context: CommandContext,
  { scope, members }: FoundCluster,
  request: RestRequest,
  { last, repeatable }: Sending,
): Step<ActionResult> {
  const isLast = (name: string): number => Number(name === last);
  const leads = (role: string): number => Number(role.endsWith('leader'));
  const order = members.toSorted(
    (left, right) => isLast(left.name) - isLast(right.name) || leads(right.role) - leads(left.role),
  );
  const tried: string[] = [];
  let silent: ActionResult | undefined;
  for (const member of order) {
    const result = await sendAction(context, member, request);
    const goesOn = repeatable === true && result.outcome === 'unknown' && !result.interrupted;
    if (goesOn) silent ??= result;
    else if (result.outcome !== 'unreachable') return { ok: true, value: result };
    tried.push(result.message);
  }
  if (silent !== undefined) return { ok: true, value: silent };
  return failed(
    'unreachable',
    `No member of cluster ${scope} can be reached: ${tried.join('; ')}`,
    'Start an agent, or check that the REST addresses are reachable from here.',
  );
}

const failureOf = (verb: Verb, result: ActionResult): Outcome => ({
  ok: false,
  error: {
    exitCode: exitCodeOf(result),
    message:
      result.outcome === 'unknown'
        ? `Whether cluster management was ${verb}d is not known: ${result.message}`
        : `Cluster management was not ${verb}d: ${result.message}`,
    hint: result.hint ?? '"pgbaton show-config" shows what is configured.',
  },
});

async function configure(context: CommandContext, cluster: FoundCluster, verb: Verb): Step<void> {
  const request = {
    method: 'PATCH',
    path: '/config',
    body: { pause: verb === 'pause' ? true : null },
    timeoutMillis: CONFIGURE_MILLIS,
  } as const;
  const sent = await sendToFirst(context, cluster, request, { repeatable: true });
  if (!sent.ok) return sent;
  return succeeded(sent.value) ? done : failureOf(verb, sent.value);
}

/** Members whose key does not say yet what is wanted of all of them. */
const lagging = ({ members }: ClusterRecord, verb: Verb): readonly string[] =>
  members
    .filter(({ key }) => (key.pause === true) !== (verb === 'pause'))
    .map(({ key }) => key.name)
    .toSorted();

async function awaitMembers(
  context: CommandContext,
  scope: string,
  verb: Verb,
  options: PauseOptions,
): Promise<Outcome> {
  const seconds = options.waitTimeout ?? DEFAULT_WAIT_SECONDS;
  if (context.format === 'pretty')
    context.terminal.out(`'${verb}' request sent, waiting until it is recognized by all nodes\n`);
  const waited = await watchRecord(
    context,
    scope,
    (record) => lagging(record, verb).length === 0,
    () => seconds * 1000,
  );
  if (!waited.ok) return waited;
  if (waited.value.so) return done;
  const names = lagging(waited.value.cluster.record, verb).join(', ');
  return failed(
    'unknown',
    `It is configured, but ${names} did not show it within ${seconds} seconds.`,
    `"pgbaton explain" of that member tells what it does; until it has seen it, it acts as before.`,
  );
}

/**
 * A lease that says paused ends by its holder's beat. If there is none, nobody else can know whether
 * Postgres of the holder still writes.
 */
async function endPausedLease(
  context: CommandContext,
  scope: string,
  { force, waitTimeout }: PauseOptions,
): Promise<Outcome> {
  const longestMillis = (waitTimeout ?? DEFAULT_WAIT_SECONDS) * 1000;
  const seen = await awaitEndOfPause(context, scope, longestMillis);
  if (!seen.ok) return seen;
  const { holder, beats, cluster } = seen.value;
  if (holder === undefined) return done;
  // Who beats is not down, whoever says so.
  if (force !== true || beats) return stillPaused(context, holder, seen.value);
  context.terminal.err(
    `Warning: the lease of ${holder} is given up, because --force says that Postgres of ${holder} is certainly down; if it is not, two members accept writes.\n`,
  );
  const request = {
    method: 'POST',
    path: '/abandon',
    body: { holder_is_down: true },
    timeoutMillis: ABANDON_MILLIS,
  } as const;
  const sent = await sendToFirst(context, cluster, request, { last: holder });
  if (!sent.ok) return sent;
  if (!succeeded(sent.value)) return failureOf('resume', sent.value);
  context.terminal.out(`${sent.value.message}\n`);
  return done;
}

async function change(
  context: CommandContext,
  named: string | undefined,
  verb: Verb,
  options: PauseOptions,
): Promise<Outcome> {
  const cluster = await resolveCluster(context, named);
  if (!cluster.ok) return cluster;
  const { scope, record } = cluster.value;
  const config = readConfig(cluster.value);
  if (!config.ok) return config;
  const isPaused = config.value.config['pause'] === true;
  const asked = verb === 'pause';
  const stillPaused = pausedHolder(record) !== undefined;
  if (isPaused === asked && (asked || !stillPaused)) {
    return failed(
      'refused',
      `Cluster management of ${scope} is ${asked ? 'already paused' : 'not paused'}.`,
      'See "pgbaton list".',
    );
  }
  if (isPaused !== asked) {
    const configured = await configure(context, cluster.value, verb);
    if (!configured.ok) return configured;
  }
  const ended = asked ? done : await endPausedLease(context, scope, options);
  if (!ended.ok) return ended;
  if (options.wait === true) {
    const waited = await awaitMembers(context, scope, verb, options);
    if (!waited.ok) return waited;
  }
  context.terminal.out(`Success: cluster management is ${verb}d\n`);
  return done;
}

const withWait = (command: Command): Command =>
  command
    .argument('[cluster]', 'name of the cluster; default: scope of the configuration')
    .option('--wait', 'wait until every member shows it')
    .option(
      '--wait-timeout <seconds>',
      `how long to wait for that (default: ${DEFAULT_WAIT_SECONDS})`,
      secondsOption(0.1),
    );

function act(runner: Runner, command: Command, verb: Verb): void {
  command.action((named: string | undefined, options: PauseOptions) =>
    runner.withContext(command, (context) => change(context, named, verb, options)),
  );
}

export const registerPause: Register = (program, runner) => {
  const command = withWait(
    program
      .command('pause')
      .description('maintenance mode: no failover, and nothing is started or stopped unasked'),
  ).addHelpText('after', examples('pgbaton pause --wait', 'pgbaton pause batman'));
  act(runner, command, 'pause');
};

export const registerResume: Register = (program, runner) => {
  const command = withWait(program.command('resume').description('end maintenance mode'))
    .option('--force', 'says that Postgres of a holder that does not beat is certainly down')
    .addHelpText('after', examples('pgbaton resume --wait', 'pgbaton resume batman --force'));
  act(runner, command, 'resume');
};
