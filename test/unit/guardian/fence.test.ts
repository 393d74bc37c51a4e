import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findForeign } from '../../../src/adapters/guardian/foreign.ts';
import { fenceServer, findServer, targetOf } from '../../../src/guardian/fence.ts';
import { freezeServer, thawServer } from '../../../src/guardian/freeze.ts';
import {
  findRunning,
  listChildren,
  parseStat,
  readProcess,
  signalExactly,
} from '../../../src/guardian/procfs.ts';
import type { FakeServer } from '../../harness/guardian-fake-server.ts';
import { layOutFakeServer } from '../../harness/guardian-fake-server.ts';
import { identify, runs, until } from '../../harness/guardian-program.ts';

let root: string;
let server: FakeServer;
const started: ChildProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pgbaton-fence-'));
  server = layOutFakeServer(root, 5);
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  await fenceServer(targetOf(server.dataDir, undefined), 5000);
  rmSync(root, { recursive: true, force: true });
});

function run(executable: string, args: readonly string[], cwd: string): ChildProcess {
  const child = spawn(executable, args, { cwd, stdio: 'ignore', detached: true });
  started.push(child);
  return child;
}

/** Not as a child of this process, which would make it a job of its own. */
function startServer(which: FakeServer = server): void {
  const { executable, args, env } = which.command;
  const options = { env: { ...process.env, ...env }, stdio: 'ignore' } as const;
  started.push(spawn('/usr/bin/setsid', ['--fork', executable, ...args], options));
}

describe('a fence', () => {
  it('leaves no process of the server, and says how many there were', async () => {
    startServer();
    const processes = await server.processes();
    const report = await fenceServer(targetOf(server.dataDir, processes[0]), 5000);
    expect(report).toMatchObject({ proved: true, remaining: [] });
    expect(report.killed).toBeGreaterThanOrEqual(6);
    expect(processes.filter(runs)).toEqual([]);
  });

  it('kills a server that stands still', async () => {
    startServer();
    const processes = await server.processes();
    const target = targetOf(server.dataDir, processes[0]);
    expect(freezeServer(target)).toBe(processes.length);
    await until('nothing moves', () =>
      processes.every(({ pid }) => readProcess(pid)?.state === 'T'),
    );
    expect(await fenceServer(target, 5000)).toMatchObject({ proved: true, remaining: [] });
    expect(processes.filter(runs)).toEqual([]);
  });

  it('has struck before it first waits', async () => {
    startServer();
    const processes = await server.processes();
    const fenced = fenceServer(targetOf(server.dataDir, processes[0]), 5000);
    const begun = process.hrtime.bigint();
    // No turn of the event loop: whatever dies now was killed within the call.
    while (processes.some(runs) && process.hrtime.bigint() - begun < 1_000_000_000n);
    expect(processes.filter(runs)).toEqual([]);
    await fenced;
  });

  it('finds the server by its data directory alone, through a link too', async () => {
    startServer();
    const processes = await server.processes();
    const link = join(root, 'link');
    symlinkSync(server.dataDir, link);
    expect(findServer(targetOf(link, undefined))[0]?.pid).toBe(processes[0]?.pid);
    expect(findForeign(link)?.pid).toBe(processes[0]?.pid);
    expect((await fenceServer(targetOf(link, undefined), 5000)).proved).toBe(true);
    expect(processes.filter(runs)).toEqual([]);
  });

  it('is not asked for by a job of this process, such as single-user recovery', async () => {
    const job = run(server.command.executable, ['-c', 'sleep 60 & wait'], server.dataDir);
    await until('it runs', () => findServer(targetOf(server.dataDir, undefined)).length === 2);
    expect(findForeign(server.dataDir)).toBeUndefined();
    await fenceServer(targetOf(server.dataDir, undefined), 5000);
    expect(readProcess(job.pid ?? 0)?.state ?? 'Z').toBe('Z');
  });

  it('reaches the children of a stopped postmaster', async () => {
    startServer();
    const processes = await server.processes();
    signalExactly(processes[0]!, 'SIGSTOP');
    await fenceServer(targetOf(server.dataDir, processes[0]), 5000);
    expect(processes.filter(runs)).toEqual([]);
  });

  it('finds backends whose postmaster has died long ago', async () => {
    startServer();
    const processes = await server.processes();
    signalExactly(processes[0]!, 'SIGKILL');
    await until('the postmaster died', () => !runs(processes[0]!));
    expect(processes.filter(runs)).toHaveLength(5);
    expect(findForeign(server.dataDir)).toBeDefined();
    await fenceServer(targetOf(server.dataDir, processes[0]), 5000);
    expect(processes.filter(runs)).toEqual([]);
  });

  it('takes along what the server has started, but no shell that only stands there', async () => {
    const bystander = run('/bin/sleep', ['60'], server.dataDir);
    startServer();
    const processes = await server.processes();
    const helper = run(server.command.executable, ['-c', 'sleep 60 & wait'], server.dataDir);
    await until('its child runs', () => listChildren(helper.pid ?? 0).length === 1);
    const helpers = listChildren(helper.pid ?? 0).map(identify);
    await fenceServer(targetOf(server.dataDir, processes[0]), 5000);
    expect([...processes, ...helpers].filter(runs)).toEqual([]);
    expect(runs(identify(bystander.pid ?? 0))).toBe(true);
  });

  it('leaves a server on another data directory alone', async () => {
    const other = layOutFakeServer(join(root, 'other'));
    startServer();
    startServer(other);
    const [processes, others] = [await server.processes(), await other.processes()];
    await fenceServer(targetOf(server.dataDir, processes[0]), 5000);
    expect(processes.filter(runs)).toEqual([]);
    expect(others.filter(runs)).toHaveLength(others.length);
    await fenceServer(targetOf(other.dataDir, undefined), 5000);
    expect(others.filter(runs)).toEqual([]);
  });

  it('does not touch a process that has got the number of the postmaster', async () => {
    const stranger = identify(run('/bin/sleep', ['60'], root).pid ?? 0);
    const former = { pid: stranger.pid, startTicks: stranger.startTicks - 1 };
    expect(signalExactly(former, 'SIGKILL')).toBe(false);
    const report = await fenceServer(targetOf(server.dataDir, former), 5000);
    expect(report).toMatchObject({ proved: true, killed: 0 });
    expect(runs(stranger)).toBe(true);
  });

  it('is proved at once where nothing runs, and where there is no data directory', async () => {
    expect(await fenceServer(targetOf(server.dataDir, undefined), 100)).toMatchObject({
      proved: true,
      killed: 0,
    });
    expect((await fenceServer(targetOf(join(root, 'none'), undefined), 100)).proved).toBe(true);
  });

  it('of a data directory that was renamed meanwhile is the fence of what runs in it', async () => {
    startServer();
    const processes = await server.processes();
    const target = targetOf(server.dataDir, undefined);
    renameSync(server.dataDir, join(root, 'aside'));
    mkdirSync(server.dataDir);
    expect((await fenceServer(target, 5000)).proved).toBe(true);
    expect(processes.filter(runs)).toEqual([]);
  });
});

describe('processes', () => {
  it.each([
    ['a plain name', '12 (sleep) S 7 12 9 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 1 1'],
    [
      'blanks and parentheses',
      '12 (a) b (c)) S 7 12 9 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 1',
    ],
  ])('are read whatever their name is: %s', (_name, text) => {
    expect(parseStat(12, text)).toEqual({
      pid: 12,
      startTicks: 4711,
      state: 'S',
      parentPid: 7,
      session: 9,
    });
  });

  it.each(['', '12 (sleep', '12 (sleep) S 7'])('are unknown when cut short: %j', (text) => {
    expect(parseStat(12, text)).toBeUndefined();
  });

  it('that wait to be reaped run no more', async () => {
    const parent = run('/bin/sh', ['-c', '/bin/true & exec /bin/sleep 60'], root);
    await until('a zombie', () =>
      listChildren(parent.pid ?? 0).some((pid) => readProcess(pid)?.state === 'Z'),
    );
    const zombie = identify(listChildren(parent.pid ?? 0)[0] ?? 0);
    expect(findRunning(zombie)).toBeUndefined();
  });
});

describe('a server that is frozen', () => {
  it('stands still with all its children, found by its directory or by its postmaster', async () => {
    startServer();
    const processes = await server.processes();
    const states = (): ReadonlySet<string | undefined> =>
      new Set(processes.map(({ pid }) => readProcess(pid)?.state));
    for (const postmaster of [processes[0], undefined]) {
      const target = targetOf(server.dataDir, postmaster);
      expect(freezeServer(target)).toBe(processes.length);
      await until('nothing moves', () => states().size === 1 && states().has('T'));
      expect(thawServer(target)).toBe(processes.length);
      await until('goes on', () => !states().has('T'));
    }
  });

  it('is none where no server runs', () => {
    expect(freezeServer(targetOf(server.dataDir, undefined))).toBe(0);
    expect(thawServer(targetOf(server.dataDir, undefined))).toBe(0);
  });
});
