import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { decide } from '../../src/core/decide.ts';
import { DecisionJournal } from '../../src/telemetry/journal.ts';
import { realClock } from '../harness/fake-store-clock.ts';
import { aMemory, aView, holding, primary } from '../harness/views.ts';
import { compile, repositoryOf } from './run-compile.mjs';
import { main } from './run-main.ts';
import { runTasks } from './run-pool.ts';
import type { Ran, Task } from './run-pool.ts';
import { simulate } from './simulate.ts';

const repository = repositoryOf(import.meta.filename);
const program = join(repository, 'test/sim/run.mjs');

/** A run that nobody acknowledges: each of its clusters is stuck, and says so. */
const STUCK = {
  file: 'src/core/decide.ts',
  find: 'for (const rule of RULES) {',
  replace: 'for (const rule of RULES.slice(-1)) {',
};

const runs = async (
  tasks: readonly Task[],
  { build = compile(), workers = 1, hangsAfterMillis = 60_000 } = {},
): Promise<ReadonlyMap<number, Ran>> => {
  const ran = new Map<number, Ran>();
  const { signal } = new AbortController();
  const onRan = (one: Ran): void => {
    ran.set(one.task.seed, one);
  };
  await runTasks({ build, workers, tasks, signal, onRan, hangsAfterMillis });
  return ran;
};

describe('a seed', () => {
  const tasks: readonly Task[] = [
    { seed: 31 },
    { seed: 32, faults: ['kill-agent', 'cut-peers', 'crash-host'], members: 2 },
    { seed: 33 },
    { seed: 34, faults: ['consul-oddities', 'destroy-session', 'lossy-consul'] },
  ];

  test('leaves the same trace in another process, after other seeds, beside others', async () => {
    const hashes = (ran: ReadonlyMap<number, Ran>): readonly (string | undefined)[] =>
      tasks.map(({ seed }) => ran.get(seed)?.outcome?.hash);
    const here: string[] = [];
    for (const { seed, faults, members } of tasks)
      here.push((await simulate(seed, { kinds: faults, members })).hash);
    expect(hashes(await runs(tasks))).toEqual(here);
    expect(hashes(await runs([...tasks].reverse(), { workers: 3 }))).toEqual(here);
  });
});

describe('a worker', () => {
  test('that hangs costs its seed, and the others are run', async () => {
    const build = compile({
      mutation: {
        file: 'test/sim/run-worker.ts',
        find: 'simulate(task.seed,',
        replace: 'if (task.seed === 31) for (;;);\n  simulate(task.seed,',
      },
    });
    const ran = await runs([{ seed: 31 }, { seed: 33, faults: [], members: 1 }], {
      build,
      hangsAfterMillis: 8000,
    });
    expect(ran.get(31)?.crash).toBe('no end within 8 s of wall time');
    expect(ran.get(33)?.outcome?.failure).toBeUndefined();
  });
});

describe('a deliberate bug', () => {
  test('is compiled beside the truth, and found', async () => {
    const build = compile({ mutation: STUCK });
    expect(build).not.toBe(compile());
    const lines = vi.spyOn(console, 'log').mockReturnValue(undefined);
    const argv = ['--seeds', '31-32', '--members', '2', '--faults', 'isolate', '--workers', '1'];
    const exitCode = await main(argv, build);
    const said = lines.mock.calls.join('\n');
    lines.mockRestore();
    expect(exitCode).toBe(1);
    expect(said).toMatch(/^seed 31 FAILED: L: the cluster was not founded in time$/m);
    expect(said).toMatch(/^ {2}plan: 2 members, .*: isolate$/m);
    expect(said).toMatch(/^ {4} +0\.\d+ pg1\.1 +decision \{"rule":"R900"/m);
    expect(said).toMatch(/^ {6}R900 hold for \d+ ms: .* \| waits for /m);
    const replay = 'npm run sim -- --seed 31 --faults isolate --members 2 --trace';
    expect(said).toContain(`  replay: ${replay}`);
    expect(said).toContain('2 × L: the cluster was not founded in time');
    expect(said).toContain('2 seeds, 2 failed');
  });

  test.each([
    ['does not occur', 'no such text', 0],
    ['occurs more than once', 'import', 26],
  ])('is refused when the text %s', (_what, find) => {
    const mutation = { ...STUCK, find };
    expect(() => compile({ mutation })).toThrow(/occurs \d+ times, not once/);
  });

  test('is refused in a file that the simulator does not run', () => {
    const mutation = { ...STUCK, file: 'src/cli.ts' };
    expect(() => compile({ mutation })).toThrow('not part of what the simulator runs');
  });
});

describe('the book of seeds', () => {
  const argv = ['--seeds', '31-31', '--workers', '1'];
  const kept = { seed: 31, members: 2, faults: ['isolate'], note: 'a riddle' };
  let folder = '';
  let path = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pgbaton-book-'));
    path = join(folder, 'seeds.json');
    writeFileSync(path, JSON.stringify({ regressions: [], open: [kept] }));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true, force: true });
  });

  const said = async (build: string, ...more: string[]): Promise<[number, string]> => {
    const lines = vi.spyOn(console, 'log').mockReturnValue(undefined);
    const exitCode = await main([...argv, ...more], build, path);
    return [exitCode, lines.mock.calls.join('\n')];
  };

  test('expects a seed that is open to fail', async () => {
    const [exitCode, lines] = await said(compile({ mutation: STUCK }));
    expect(lines).toContain('seed 31 is open (a riddle): L: the cluster was not founded in time');
    expect(exitCode).toBe(0);
  });

  test('fails the run when a seed that is open passes, and moves it when told', async () => {
    const [exitCode, lines] = await said(compile(), '--save');
    expect(lines).toContain('seed 31 is open (a riddle) and passes: move it to regressions');
    expect(lines).toContain('0 more open, 1 moved to regressions');
    expect(exitCode).toBe(1);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ regressions: [kept], open: [] });
  });
});

const runProgram = (...argv: string[]): { stdout: string; stderr: string; status: number | null } =>
  spawnSync(process.execPath, [program, ...argv], { encoding: 'utf8', timeout: 120_000 });

describe('the program', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pgbaton-sim-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test('ends with 2 on a mistake, and says which', () => {
    const { status, stderr } = runProgram('--seeds', '5-1');
    expect(status).toBe(2);
    expect(stderr).toContain('The range is empty');
  });

  test('makes the decisions of a journal again, and says when there is none', () => {
    const path = join(folder, 'journal.jsonl');
    const view = aView(holding(), primary());
    const lines: string[] = [];
    const journal = new DecisionJournal({
      journal: { record: (entry) => lines.push(JSON.stringify(entry)) },
      clock: realClock,
      logger: { log: () => undefined },
      version: '1.2.3',
    });
    journal.record(view, aMemory(), decide(view, aMemory()));
    writeFileSync(path, `${lines.join('\n')}\n`);
    const good = runProgram('--journal', path);
    expect(good.stdout).toBe(
      '1 decisions of version 1.2.3 made again, 0 differences, 0 lines left out\n',
    );
    expect(good.status).toBe(0);

    writeFileSync(path, lines.join('\n').replace('"rule":"R350"', '"rule":"R530"'));
    const other = runProgram('--journal', path);
    expect(other.stdout).toContain('then: "R530"');
    expect(other.status).toBe(1);

    const none = runProgram('--journal', join(folder, 'none'));
    expect(none.stdout).toContain('ENOENT');
    expect(none.status).toBe(2);
  });

  test('writes the whole story of a seed into a file', () => {
    const path = join(folder, 'trace.log');
    const { status, stdout } = runProgram('--seed', '31', '--trace', path);
    expect(status, stdout).toBe(0);
    expect(stdout).toMatch(/^trace [0-9a-f]{64}, in /m);
    expect(readFileSync(path, 'utf8')).toContain('WORLD   seed 31: ');
    expect(stdout).toContain(`in ${path}`);
  });

  test('tells on Ctrl-C what there is so far, ends its workers, and ends with 130', async () => {
    const child = spawn(process.execPath, [program, '--minutes', '10', '--workers', '2']);
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      if (stdout === '') child.kill('SIGINT');
      stdout += chunk.toString();
    });
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect(status).toBe(130);
    expect(stdout).toMatch(/^fresh seeds from \d+ for 10 minutes$/m);
    expect(stdout).toMatch(/^\d+ seeds, \d+ failed$/m);
    const children = readdirSync('/proc').filter(
      (pid) => /^\d+$/.test(pid) && isChildOf(pid, child.pid ?? 0),
    );
    expect(children).toEqual([]);
  });
});

function isChildOf(pid: string, parent: number): boolean {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return false;
  try {
    return readFileSync(path, 'utf8').split(') ').at(-1)?.split(' ')[1] === String(parent);
  } catch {
    return false;
  }
}
