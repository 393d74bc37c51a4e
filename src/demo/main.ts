// The local cluster of the README: `npm run demo`, `npm run bench -- failover`.
import { parseArgs } from 'node:util';
import { benchFailover } from './bench.ts';
import { runDemo, showAddresses, watchLeader } from './demo.ts';
import { RunDirectory } from './run-directory.ts';
import { Screen } from './screen.ts';
import { startStack } from './stack.ts';
import { DemoError } from './demo-error.ts';

const USAGE = `npm run demo [-- --once] [-- --members 3]
  A Consul, three members and HAProxy on this machine: the primary is killed, then switched over.
  Stays up until Ctrl-C; with --once it ends after the table, with exit code 1 if anything in it is wrong.

npm run bench -- failover [--rounds 20] [--json FILE]
  Measures the write gap of host loss, postmaster crash and switchover; exit code 1 if a target is missed.`;

interface Wish {
  readonly bench: boolean;
  readonly once: boolean;
  readonly members: number;
  readonly rounds: number;
  readonly jsonFile: string | undefined;
}

function wholeNumber(text: string, name: string, lowest: number, highest: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= lowest && value <= highest) return value;
  throw new DemoError(`${name} is a whole number from ${lowest} to ${highest}, not "${text}"`);
}

function readArguments(args: readonly string[]): Wish | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      bench: { type: 'string' },
      once: { type: 'boolean', default: false },
      members: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '20' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.bench !== undefined && values.bench !== 'failover') {
    throw new DemoError(`there is no benchmark "${values.bench}"; there is: failover`);
  }
  return {
    bench: values.bench !== undefined,
    once: values.once,
    members: wholeNumber(values.members, '--members', 2, 9),
    rounds: wholeNumber(values.rounds, '--rounds', 1, 1000),
    jsonFile: values.json,
  };
}

const screen = new Screen(process.stdout, process.env);

/** Ends with the message and the logs; a bug shows its stack too. */
function failWith(error: unknown, run: RunDirectory | undefined): never {
  const expected = error instanceof DemoError;
  const text =
    error instanceof Error ? ((expected ? error.message : error.stack) ?? '') : String(error);
  screen.line();
  screen.line(screen.paint('bad', `FAILED: ${text}`));
  if (run !== undefined) {
    run.keepLogs();
    run.remove();
    screen.line(`All processes were ended. The logs of all of them are in ${run.logs}`);
  }
  process.exit(1);
}

async function run(wish: Wish, directory: RunDirectory, state: { done: boolean }): Promise<void> {
  screen.title(
    `pgbaton: ${wish.members} PostgreSQL members, Consul and HAProxy on this machine` +
      (wish.bench ? `; ${wish.rounds} rounds of each failure` : ''),
  );
  const stack = await startStack(screen, directory, wish.members);
  if (wish.bench) {
    const pass = await benchFailover(screen, stack, wish);
    if (!pass) throw new DemoError('a target was missed; see the table');
    directory.remove();
    process.exit(0);
  }
  const faults = await runDemo(screen, stack);
  if (faults.length > 0) throw new DemoError(faults.join('\n'));
  if (wish.once) {
    directory.remove();
    screen.line('All processes were ended and all files removed.');
    process.exit(0);
  }
  state.done = true;
  showAddresses(screen, stack);
  await watchLeader(screen, stack);
}

function start(): void {
  let wish: Wish | 'help';
  try {
    wish = readArguments(process.argv.slice(2));
  } catch (error) {
    screen.line(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
  if (wish === 'help') {
    screen.line(USAGE);
    return;
  }
  // True once nothing is left to do but to be tried: then Ctrl-C is the expected end.
  const state = { done: false };
  const directory = new RunDirectory('demo', () => {
    directory.remove();
    screen.line();
    screen.line('All processes were ended and all files removed.');
    process.exit(state.done ? 0 : 130);
  });
  process.on('uncaughtException', (error) => {
    failWith(error, directory);
  });
  run(wish, directory, state).catch((error: unknown) => {
    failWith(error, directory);
  });
}

start();
