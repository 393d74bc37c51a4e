import { readFileSync, statSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readLock } from '../../../src/guardian/lock.ts';
import { readProcess, signalExactly } from '../../../src/guardian/procfs.ts';
import {
  codeOf,
  exitOf,
  expectOk,
  lease,
  postmasterOf,
  useGuardianBench,
} from '../../harness/guardian-bench.ts';
import { clearFakeServer } from '../../harness/guardian-fake-server.ts';
import { readGuardianLog, runs, unaskingClock, until } from '../../harness/guardian-program.ts';

const bench = useGuardianBench();

describe('launching', () => {
  it('starts a guardian and the server below it, in sessions of their own, with its output in the log', async () => {
    const guardian = bench().connect();
    expect(await guardian.attach()).toEqual({ kind: 'absent', foreign: undefined });
    const { pid } = expectOk(await guardian.launch(bench().server.command));
    await bench().server.processes();
    const state = guardian.state();
    expect(state).toMatchObject({ kind: 'present', postmaster: { kind: 'up', pid } });
    const guardianPid = readLock(bench().server.runDir)?.pid ?? 0;
    expect(readProcess(pid)?.parentPid).toBe(guardianPid);
    expect(readProcess(pid)?.session).toBe(pid);
    expect(readProcess(guardianPid)?.session).toBe(guardianPid);
    await until('output arrived', () =>
      readFileSync(bench().server.command.logFile, 'utf8').includes('server log: ready'),
    );
  });

  it('keeps run directory, socket, record, lock and logs to its user', async () => {
    const guardian = await bench().started();
    expectOk(await guardian.arm(lease(3000)));
    expect(statSync(bench().server.runDir).mode & 0o777).toBe(0o700);
    for (const name of ['guardian.sock', 'guardian.pid', 'lease.json', 'guardian.log']) {
      expect(statSync(join(bench().server.runDir, name)).mode & 0o777, name).toBe(0o600);
    }
    expect(statSync(bench().server.command.logFile).mode & 0o777).toBe(0o600);
  });

  it('does not hand settings of the agent on to the server', async () => {
    process.env['PGBATON_TEST_PASSWORD'] = 'geheim';
    try {
      const guardian = await bench().started();
      const [postmaster] = await bench().server.processes();
      const environment = readFileSync(`/proc/${postmaster?.pid ?? 0}/environ`, 'utf8');
      expect(environment).toContain(`DATA=${bench().server.dataDir}`);
      expect(environment).not.toMatch(/geheim|UV_THREADPOOL_SIZE/);
      expect(postmasterOf(guardian)).toBe('up');
    } finally {
      delete process.env['PGBATON_TEST_PASSWORD'];
    }
  });

  it('is the last that the memory killer looks at, and the server is told not to be', async () => {
    const scoreOf = (pid: number): number =>
      Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'latin1'));
    await bench().started();
    const [postmaster] = await bench().server.processes();
    const guardianPid = readLock(bench().server.runDir)?.pid ?? 0;
    const [begin] = readGuardianLog(bench().server.runDir);
    const environment = readFileSync(`/proc/${postmaster?.pid ?? 0}/environ`, 'utf8').split('\0');
    if (begin?.['protectedFromMemoryKill'] === true) {
      expect(scoreOf(guardianPid)).toBeLessThan(0);
      // Postgres writes that value into that file of each of its children.
      expect(environment).toContain('PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj');
      const usual = Math.max(0, scoreOf(process.pid));
      expect(environment).toContain(`PG_OOM_ADJUST_VALUE=${usual}`);
    } else {
      expect(scoreOf(guardianPid)).toBe(scoreOf(process.pid));
    }
  });

  it('runs before the server where that is permitted', async () => {
    await bench().started();
    const [postmaster] = await bench().server.processes();
    const guardianPid = readLock(bench().server.runDir)?.pid ?? 0;
    const [begin] = readGuardianLog(bench().server.runDir);
    const raised = begin?.['priorityRaised'] === true;
    expect(getPriority(guardianPid)).toBe(raised ? -10 : getPriority());
    expect(getPriority(postmaster?.pid)).toBe(getPriority());
  });

  it('refuses a second postmaster, a program that cannot be run, and another data directory', async () => {
    const guardian = bench().connect();
    await guardian.attach();
    const missing = { ...bench().server.command, executable: join(bench().root, 'bin/none') };
    expect(codeOf(await guardian.launch(missing))).toBe('postgres-not-executable');
    const other = { ...bench().server.command, dataDir: bench().root };
    expect(codeOf(await guardian.launch(other))).toBe('data-directory-other');
    const unwritable = {
      ...bench().server.command,
      logFile: join(bench().root, 'none/server.log'),
    };
    expect(codeOf(await guardian.launch(unwritable))).toBe('postmaster-log-unwritable');
    expectOk(await guardian.launch(bench().server.command));
    expect(codeOf(await guardian.launch(bench().server.command))).toBe('postmaster-running');
  });

  it('tells at once why a guardian cannot start', async () => {
    const broken = bench().connect({ executable: join(bench().root, 'no-such-guardian.js') });
    const launched = await broken.launch(bench().server.command);
    expect(launched).toMatchObject({ ok: false, error: { code: 'guardian-not-started' } });
    expect(launched.ok ? '' : launched.error.message).toContain('no-such-guardian.js');
  });

  it('knows the exit of the postmaster at once, and clears its orphans away before it says so', async () => {
    const guardian = await bench().started({ clock: unaskingClock });
    const processes = await bench().server.processes();
    const left = new Promise<number>((resolve) => {
      guardian.onChange(() => {
        if (postmasterOf(guardian) === 'down') resolve(processes.filter(runs).length);
      });
    });
    signalExactly(processes[0]!, 'SIGKILL');
    expect(await left).toBe(0);
    expect(exitOf(guardian)).toMatchObject({ signal: 'SIGKILL', cause: 'exited' });
    clearFakeServer(bench().server);
    expectOk(await guardian.launch(bench().server.command));
    await bench().server.processes();
  });
});

describe('stopping', () => {
  it.each([
    ['fast', 0],
    ['immediate', 2],
  ] as const)('a %s stop answers when the server has ended', async (mode, code) => {
    const guardian = await bench().started();
    const processes = await bench().server.processes();
    expectOk(await guardian.stop(mode, 5000));
    expect(processes.filter(runs)).toEqual([]);
    expect(exitOf(guardian)).toMatchObject({ code, signal: undefined, cause: 'stopped' });
    expect(await guardian.stop(mode, 100)).toEqual({ ok: true, value: undefined });
  });

  it('a stop that takes too long fails at its bound, and leaves the choice of what next', async () => {
    const guardian = await bench().started();
    const [postmaster] = await bench().server.processes();
    signalExactly(postmaster!, 'SIGSTOP');
    expect(codeOf(await guardian.stop('fast', 100))).toBe('stop-timed-out');
    expect(postmasterOf(guardian)).toBe('up');
    expectOk(await guardian.fence('it does not stop'));
    expect(exitOf(guardian)).toMatchObject({ cause: 'fenced' });
  });

  it('a fence kills the whole server, a stopped postmaster too, and proves it', async () => {
    const guardian = await bench().started();
    const processes = await bench().server.processes();
    signalExactly(processes[0]!, 'SIGSTOP');
    expectOk(await guardian.fence('test'));
    expect(processes.filter(runs)).toEqual([]);
    expect(postmasterOf(guardian)).toBe('down');
  });

  it('a fence works on a server that no guardian started, and on none', async () => {
    const guardian = bench().connect();
    expectOk(await guardian.fence('nothing there'));
    const first = await bench().started();
    const processes = await bench().server.processes();
    await first.detach();
    const record = readLock(bench().server.runDir);
    signalExactly(record!, 'SIGSTOP');
    const other = bench().connect();
    expectOk(await other.fence('guardian frozen'));
    expect(processes.filter(runs)).toEqual([]);
  });
});
