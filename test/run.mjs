// `npm test`: everything, from a fresh clone. Stops at the first stage that fails.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { prepare, repository } from '../src/demo/prepare.mjs';

const bin = (name) => join(repository, 'node_modules/.bin', name);
const vitest = (...projects) => [
  bin('vitest'),
  ['run', '--config', 'test/vitest.config.ts', ...projects.flatMap((name) => ['--project', name])],
];
const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;
/** Files of the whole clusters, divided so that what runs side by side ends at about the same time. */
const PARTS = 5;
const wholeClusters = (part) => [
  bin('vitest'),
  [...vitest('integration')[1], `--shard=${part}/${PARTS}`],
];
/** One program after another, as one stage. */
const inTurn = (...programs) => [
  'sh',
  ['-c', programs.map(([name, words]) => [name, ...words].map(quoted).join(' ')).join(' && ')],
];
const npmRun = (script) => ['npm', ['run', '--silent', script]];
const findMutants = (names) => [
  'npm',
  ['run', '--silent', 'sim', '--', '--mutants', names.join(',')],
];
/** One of each kind; `npm run sim -- --mutants` makes all of them. */
const QUICK_MUTANTS = [
  'takes-over-at-half-time',
  'armed-after-the-promotion',
  'trusts-a-missing-leader-key',
  'promise-does-not-bind',
  'floor-ignored',
  'promotes-without-votes',
  'starts-what-is-half-made',
  'starts-read-write',
];

/** One after the other. A second one of a pair runs beside the first: both wait for leases most of the time. */
const stages = [
  [['types', ...npmRun('typecheck')]],
  [['lint', ...npmRun('lint')]],
  [['format', ...npmRun('format:check')]],
  [['who imports what', ...npmRun('boundaries')]],
  [['unused code and dependencies', ...npmRun('unused')]],
  [
    [
      'tests without servers: core, unit, fakes, tidy',
      ...vitest('core', 'unit', 'contract-fakes', 'tidy'),
    ],
  ],
  [['the simulated world: determinism, scenarios, its command line', ...vitest('sim')]],
  [['the simulated world: seeds', ...npmRun('sim')]],
  [['the simulated world: a few deliberate bugs are found', ...findMutants(QUICK_MUTANTS)]],
  [['tests with real servers: contracts of the adapters', ...vitest('contract')]],
  [
    ['tests with real servers: whole clusters', ...inTurn(...[1, 2, 3, 4].map(wholeClusters))],
    [
      'tests with real servers: faults between hosts, containers, more whole clusters',
      ...inTurn(vitest('cluster'), vitest('docker'), wholeClusters(PARTS)),
    ],
  ],
];

const startedAt = Date.now();
const seconds = (sinceMillis) => `${((Date.now() - sinceMillis) / 1000).toFixed(1)} s`;

function heading(text) {
  console.log(`\n=== ${text} ===`);
}

function stop(stage, why) {
  console.error(`\nFAILED in "${stage}": ${why} (after ${seconds(startedAt)})`);
  process.exit(1);
}

async function prepareMachine() {
  heading('dependencies and build');
  try {
    prepare();
  } catch (error) {
    stop('dependencies and build', error instanceof Error ? error.message : String(error));
  }
  heading('PostgreSQL, HAProxy, Consul, Prometheus');
  const { provision } = await import(new URL('../dist/demo/provision.js', import.meta.url).href);
  const report = (line) => console.log(`- ${line}`);
  const provided = await provision(process.env, report, { forTests: true });
  if (!provided.ok) {
    const { message, remedy } = provided.error;
    stop('the servers', remedy === undefined ? message : `${message}: ${remedy}`);
  }
  for (const [name, path] of Object.entries(provided.value)) console.log(`- ${name}: ${path}`);
}

/** Starts a stage and lets it run; `whole` waits for its end, prints what it said, and judges it. */
function begin([name, program, args]) {
  const begunAt = Date.now();
  const output = join(mkdtempSync(join(tmpdir(), 'pgbaton-test-')), 'output');
  const descriptor = openSync(output, 'w');
  const child = spawn(program, args, {
    cwd: repository,
    stdio: ['ignore', descriptor, descriptor],
  });
  closeSync(descriptor);
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (status, signal) => {
      resolve(status === 0 ? undefined : `ended with ${signal ?? `exit code ${status}`}`);
    });
  });
  return async () => {
    const why = await ended;
    heading(name);
    process.stdout.write(readFileSync(output));
    rmSync(dirname(output), { recursive: true });
    if (why === undefined) console.log(`--- ${name}: passed in ${seconds(begunAt)}`);
    return why === undefined ? undefined : () => stop(name, why);
  };
}

function run([name, program, args]) {
  heading(name);
  const begunAt = Date.now();
  const { status, signal, error } = spawnSync(program, args, {
    cwd: repository,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error !== undefined) return () => stop(name, error.message);
  if (status !== 0)
    return () => stop(name, signal === null ? `exit code ${status}` : `ended by ${signal}`);
  console.log(`--- ${name}: passed in ${seconds(begunAt)}`);
  return undefined;
}

await prepareMachine();
for (const [stage, beside] of stages) {
  const besideEnded = beside && begin(beside);
  const failed = run(stage);
  const failedBeside = await besideEnded?.();
  failed?.();
  failedBeside?.();
}
console.log(`\nALL ${stages.flat().length} STAGES PASSED in ${seconds(startedAt)}`);
