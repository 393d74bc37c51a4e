import type { Command } from 'commander';
import type { Result } from '../../core/result.ts';
import type { CommandContext } from '../context.ts';
import { listForPeople, listForPrograms } from '../listing.ts';
import type { ListingOptions } from '../listing.ts';
import { findCluster, resolveScope } from '../lookup.ts';
import type { FoundCluster } from '../lookup.ts';
import { done } from '../outcome.ts';
import type { CliFailure, Outcome } from '../outcome.ts';
import { examples, secondsOption } from '../runner.ts';
import type { Register } from '../runner.ts';
import { watchScreen } from '../watch.ts';

const SMALLEST_INTERVAL_SECONDS = 0.1;
const DEFAULT_INTERVAL_SECONDS = 2;

interface ListOptions {
  readonly extended?: boolean;
  readonly timestamp?: boolean;
  readonly W?: boolean;
  readonly watch?: number;
}

interface ListRequest {
  readonly scopes: readonly string[];
  readonly topology: boolean;
  readonly options: ListOptions;
}

async function readAll(
  context: CommandContext,
  scopes: readonly string[],
): Promise<Result<readonly FoundCluster[], CliFailure>> {
  const clusters: FoundCluster[] = [];
  for (const named of scopes.length === 0 ? [undefined] : scopes) {
    const scope = await resolveScope(context, named);
    if (!scope.ok) return scope;
    const cluster = await findCluster(context, scope.value);
    if (!cluster.ok) return cluster;
    clusters.push(cluster.value);
  }
  return { ok: true, value: clusters };
}

async function render(
  context: CommandContext,
  { scopes, topology, options }: ListRequest,
): Promise<Result<string, CliFailure>> {
  const clusters = await readAll(context, scopes);
  if (!clusters.ok) return clusters;
  const { format, paint, terminal } = context;
  const listing: ListingOptions = {
    format,
    topology,
    extended: options.extended === true,
    columns: terminal.size()?.columns,
    paint,
  };
  const text =
    format === 'pretty'
      ? clusters.value.map(({ scope, record }) => listForPeople(scope, record, listing)).join('')
      : listForPrograms(clusters.value, { ...listing, format });
  const time = options.timestamp === true && format === 'pretty' ? `${timestamp()}\n` : '';
  return { ok: true, value: time + text };
}

/** Local time to the second, as `date` would print it for a log. */
function timestamp(): string {
  const now = new Date();
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19).replace('T', ' ');
}

/** One screen of the watch mode: what cannot be read now is said in place, and tried again. */
async function screen(
  context: CommandContext,
  request: ListRequest,
  intervalSeconds: number,
): Promise<string> {
  const text = await render(context, request);
  const body = text.ok
    ? text.value
    : `${context.paint.red(`Error: ${text.error.message}`)}\nHint: ${text.error.hint}\n`;
  if (context.format !== 'pretty' || !context.terminal.isTty.stdout) return body;
  const status = `Every ${intervalSeconds} s, last at ${timestamp()}. Ctrl-C ends.`;
  return `${body}\n${context.paint.dim(status)}\n`;
}

async function list(context: CommandContext, request: ListRequest): Promise<Outcome> {
  const first = await render(context, request);
  // A cluster that cannot be shown at all is a failure also in watch mode; later it is a moment's trouble.
  if (!first.ok) return first;
  const { options } = request;
  const seconds = options.watch ?? (options.W === true ? DEFAULT_INTERVAL_SECONDS : undefined);
  if (seconds === undefined) {
    context.terminal.out(first.value);
    return done;
  }
  await watchScreen(context.terminal, {
    intervalMillis: seconds * 1000,
    screen: () => screen(context, request, seconds),
  });
  return done;
}

function addWatchOptions(command: Command): Command {
  return command
    .option('-W', `show it again every ${DEFAULT_INTERVAL_SECONDS} seconds`)
    .option(
      '-w, --watch <seconds>',
      'show it again every so many seconds',
      secondsOption(SMALLEST_INTERVAL_SECONDS),
    );
}

export const registerList: Register = (program, runner) => {
  const command = program
    .command('list')
    .description('members of clusters with role, state, timeline and lag')
    .argument('[cluster...]', 'names of clusters; default: scope of the configuration')
    .option('-e, --extended', 'all columns, also those that are empty')
    .option('-t, --timestamp', 'print the time above the table');
  addWatchOptions(command)
    .addHelpText(
      'after',
      examples('pgbaton list', 'pgbaton list batman -W', 'pgbaton list --format json | jq .'),
    )
    .action((scopes: readonly string[], options: ListOptions) =>
      runner.withContext(command, (context) => list(context, { scopes, topology: false, options })),
    );
};

export const registerTopology: Register = (program, runner) => {
  const command = program
    .command('topology')
    .description('as list, as a tree of who replicates from whom')
    .argument('[cluster...]', 'names of clusters; default: scope of the configuration');
  addWatchOptions(command)
    .addHelpText('after', examples('pgbaton topology', 'pgbaton topology batman -w 0.5'))
    .action((scopes: readonly string[], options: ListOptions) =>
      runner.withContext(command, (context) => list(context, { scopes, topology: true, options })),
    );
};
