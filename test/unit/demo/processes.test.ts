import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { afterEach, describe, expect, it } from 'vitest';
import { killProcessesOf, processesOf } from '../../../src/demo/processes.ts';
import { ProcessHandle } from '../../../src/demo/process-handle.ts';
import { RunDirectory } from '../../../src/demo/run-directory.ts';
import { until } from '../../../src/demo/wait.ts';

const IDLE = 'setInterval(() => {}, 1000)';
let run: RunDirectory | undefined;

function transpiled(name: string): string {
  const source = new URL(`../../../src/demo/${name}.ts`, import.meta.url);
  return transpileModule(readFileSync(source, 'utf8'), {
    compilerOptions: {
      module: ModuleKind.ESNext,
      target: ScriptTarget.ES2023,
      rewriteRelativeImportExtensions: true,
    },
  }).outputText;
}

function newRun(): RunDirectory {
  run = new RunDirectory('unit');
  return run;
}

afterEach(() => {
  run?.remove();
  run = undefined;
});

describe('the processes of a directory', () => {
  it('are found by an argument or by the working directory, and killed; others are left alone', async () => {
    const directory = newRun();
    const handle = (name: string, args: string[], cwd: string): ProcessHandle =>
      new ProcessHandle({
        name,
        program: process.execPath,
        args: ['-e', IDLE, '--', ...args],
        cwd,
        logFile: directory.logFile(name),
      });
    const byArgument = handle('a', [`--data-dir=${directory.path}/x`], '/');
    const byFolder = handle('b', [], directory.path);
    const stranger = handle('c', [`${directory.path}-other`], '/');
    try {
      await until('both seen', () => processesOf(directory.path).length === 2, {
        timeoutMillis: 5_000,
      });
      const killed = killProcessesOf(directory.path).map(({ pid }) => pid);
      expect(killed.sort((x, y) => x - y)).toEqual(
        [byArgument.pid, byFolder.pid].sort((x, y) => x - y),
      );
      await Promise.all([byArgument.ended, byFolder.ended]);
      expect(stranger.isAlive).toBe(true);
    } finally {
      await stranger.kill();
    }
  });

  it('are ended and the files removed when the process that owns the directory is told to end', async () => {
    const directory = newRun();
    // A node of its own, because the end of a whole process is what is looked at.
    for (const name of ['run-directory', 'processes', 'demo-error']) {
      writeFileSync(join(directory.path, `${name}.js`), transpiled(name));
    }
    writeFileSync(join(directory.path, 'package.json'), '{"type":"module"}');
    const script = join(directory.path, 'owner.js');
    writeFileSync(
      script,
      `import { spawn } from 'node:child_process';
       import { RunDirectory } from './run-directory.js';
       const run = new RunDirectory('unit');
       spawn(process.execPath, ['-e', ${JSON.stringify(IDLE)}, run.path], {
         detached: true, stdio: 'ignore',
       }).unref();
       console.log(run.path);
       ${IDLE}`,
    );
    const owner = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [chunk] = (await once(owner.stdout, 'data')) as [Buffer];
    const path = chunk.toString().trim();
    await until('the child running', () => processesOf(path).length === 1, {
      timeoutMillis: 5_000,
    });
    owner.kill('SIGTERM');
    const [code] = (await once(owner, 'exit')) as [number];
    expect(code).toBe(143);
    expect(existsSync(path)).toBe(false);
    expect(processesOf(path)).toEqual([]);
  });
});

describe('a run directory', () => {
  it('keeps the logs when they are to be read, and nothing else', () => {
    const directory = newRun();
    const folder = directory.makePrivateFolder('member');
    writeFileSync(join(folder, 'server.log'), 'ready');
    writeFileSync(join(folder, 'pgpass'), 'secret');
    directory.keepLogs();
    directory.remove();
    try {
      expect(readdirSync(directory.path)).toEqual(['logs']);
      expect(readdirSync(directory.logs)).toEqual(['member-server.log']);
    } finally {
      rmSync(directory.path, { recursive: true });
    }
  });
});

describe('a process that ends before it is ready', () => {
  it('fails at once with the end of its log', async () => {
    const directory = newRun();
    const handle = new ProcessHandle({
      name: 'broken',
      program: process.execPath,
      args: ['-e', 'console.error("no such option"); process.exit(3)'],
      logFile: directory.logFile('broken'),
    });
    await expect(handle.whenReady(() => false, 10_000)).rejects.toThrow(
      /broken: exit code 3\nno such option/,
    );
    expect(readFileSync(handle.logFile, 'utf8')).toContain('no such option');
  });
});
