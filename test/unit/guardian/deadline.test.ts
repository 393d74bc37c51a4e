import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { instant } from '../../../src/core/time.ts';
import { bootMillis, readBootId } from '../../../src/guardian/boottime.ts';
import { readLock } from '../../../src/guardian/lock.ts';
import { readOver } from '../../../src/guardian/record.ts';
import {
  codeOf,
  exitOf,
  expectOk,
  lease,
  leaseToMiss,
  overOf,
  postmasterOf,
  useGuardianBench,
} from '../../harness/guardian-bench.ts';
import { endGuardian, runs, until } from '../../harness/guardian-program.ts';

const bench = useGuardianBench();

describe('the deadline', () => {
  it('fences before the lease ends when nobody extends it, and says so', async () => {
    const guardian = await bench().started();
    const processes = await bench().server.processes();
    const armed = leaseToMiss();
    expectOk(await guardian.arm(armed));
    await until('down', () => postmasterOf(guardian) === 'down');
    expect(processes.filter(runs)).toEqual([]);
    expect(bootMillis()).toBeLessThan(armed.deadline);
    expect(exitOf(guardian)).toMatchObject({ cause: 'deadline' });
    await until('no longer armed', () => {
      const state = guardian.state();
      return state.kind === 'present' && state.armed === undefined;
    });
    expect(readOver(bench().server.runDir)).toBe(armed.leaseId);
  });

  it('does not fence while it is extended, and is as told by the last word', async () => {
    const guardian = await bench().started();
    const processes = await bench().server.processes();
    const first = lease(1500);
    let last = first;
    // One that is answered late was heard all the same.
    await until('past the first', async () => {
      await guardian.arm(last);
      last = lease(1500);
      return bootMillis() > first.deadline + 100;
    });
    expect(processes.filter(runs)).toHaveLength(processes.length);
    await until('disarmed', async () => (await guardian.disarm()).ok);
    await until('past the last', () => bootMillis() > last.deadline + 100);
    expect(processes.filter(runs)).toHaveLength(processes.length);
  });

  it('a shortened lease binds; one shortened to its end is fenced at once', async () => {
    const guardian = await bench().started();
    await bench().server.processes();
    expectOk(await guardian.arm(lease(60_000)));
    expect(codeOf(await guardian.arm(lease(50)))).toBe('deadline-passed');
    await until('down', () => postmasterOf(guardian) === 'down');
    expect(exitOf(guardian)).toMatchObject({ cause: 'deadline' });
  });

  it('a lapsed lease is over: it cannot be armed again, another one can', async () => {
    const guardian = await bench().started();
    await bench().server.processes();
    expectOk(await guardian.arm(lease(1500)));
    await until('down', () => exitOf(guardian)?.['cause'] === 'deadline');
    await until('over', () => overOf(guardian) === 'lease-1');
    expect(codeOf(await guardian.arm(lease(3000)))).toBe('lease-lapsed');
    expectOk(await guardian.arm(lease(3000, 'lease-2')));
  });

  it.each([
    ['deadline-passed', { deadline: instant(bootMillis() - 1) }],
    ['deadline-implausible', { deadline: instant(Date.now()) }],
    ['lease-malformed', { ttlMillis: 0 }],
    ['lease-malformed', { fenceBudgetMillis: -1 }],
    ['guardian-request-malformed', { n: Number.NaN }],
  ])('refuses with %s a lease that makes no sense: %o', async (code, wrong) => {
    const guardian = await bench().started();
    expect(codeOf(await guardian.arm({ ...lease(3000), ...wrong }))).toBe(code);
    expect(postmasterOf(guardian)).toBe('up');
  });

  it('keeps a record of the lease for this boot of the host, in place before it answers', async () => {
    const guardian = await bench().started();
    const armed = lease(3000);
    expectOk(await guardian.arm(armed));
    const record = JSON.parse(
      readFileSync(join(bench().server.runDir, 'lease.json'), 'utf8'),
    ) as object;
    expect(record).toEqual({
      version: 1,
      bootId: readBootId(),
      guardian: readLock(bench().server.runDir)?.pid,
      ...armed,
    });
    expectOk(await guardian.disarm());
    expect(existsSync(join(bench().server.runDir, 'lease.json'))).toBe(false);
  });
});

describe('a paused lease', () => {
  it('has no deadline until it is armed again, and is told to whoever comes next', async () => {
    const guardian = await bench().started();
    const processes = await bench().server.processes();
    const armed = lease(1500);
    expectOk(await guardian.arm(armed));
    expectOk(await guardian.arm({ ...armed, paused: true }));
    await until('past', () => bootMillis() > armed.deadline + 100);
    expect(processes.filter(runs)).toHaveLength(processes.length);
    const record = readFileSync(join(bench().server.runDir, 'lease.json'), 'utf8');
    expect(JSON.parse(record)).toMatchObject({ leaseId: armed.leaseId, paused: true });
    const next = bench().connect();
    expect(await next.attach()).toMatchObject({ armed: { leaseId: armed.leaseId, paused: true } });
    expectOk(await next.arm(lease(1500)));
    await until('down', () => postmasterOf(next) === 'down');
    expect(exitOf(next)).toMatchObject({ cause: 'deadline' });
    expect(codeOf(await next.arm({ ...armed, paused: true }))).toBe('lease-lapsed');
  });
});

describe('a lease that is over', () => {
  it('is known to the next agent and the next guardian, and is armed by neither', async () => {
    const guardian = await bench().started();
    await bench().server.processes();
    expectOk(await guardian.arm(lease(1500)));
    await until('over', () => overOf(guardian) === 'lease-1');
    await guardian.detach();
    await endGuardian(bench().server.runDir);
    const next = bench().connect();
    expect(await next.attach()).toMatchObject({ kind: 'absent', over: 'lease-1' });
    expectOk(await next.launch(bench().server.command));
    expect(overOf(next)).toBe('lease-1');
    expect(codeOf(await next.arm(lease(3000)))).toBe('lease-lapsed');
    expectOk(await next.arm(lease(3000, 'lease-2')));
    expect(readOver(bench().server.runDir)).toBe('lease-1');
  });

  it('is one whose Postgres the guardian has stopped to end itself, paused as it was', async () => {
    const guardian = await bench().started();
    await bench().server.processes();
    expectOk(await guardian.arm({ ...lease(3000), paused: true }));
    await guardian.detach();
    await endGuardian(bench().server.runDir, 'SIGTERM');
    expect(await bench().connect().attach()).toMatchObject({ kind: 'absent', over: 'lease-1' });
  });

  it('is not one whose guardian was killed: nothing is known of it', async () => {
    const guardian = await bench().started();
    await bench().server.processes();
    expectOk(await guardian.arm({ ...lease(3000), paused: true }));
    await guardian.detach();
    await endGuardian(bench().server.runDir);
    expect((await bench().connect().attach()).over).toBeUndefined();
  });

  it('is none while a server runs on the data directory that another guardian has started', async () => {
    await bench().started();
    await bench().server.processes();
    const stranger = bench().connect({ runDir: join(bench().root, 'other') });
    await stranger.attach();
    expect(codeOf(await stranger.end('lease-1'))).toBe('postmaster-running');
    // Its guardian is there then, and has started nothing.
    expect(codeOf(await stranger.launch(bench().server.command))).toBe('postmaster-foreign');
    expect(postmasterOf(stranger)).toBe('down');
    expect(codeOf(await stranger.end('lease-1'))).toBe('postmaster-running');
    expect(overOf(stranger)).toBeUndefined();
    await endGuardian(join(bench().root, 'other'));
  });

  it('is written down without a guardian too, while no server is left', async () => {
    const guardian = bench().connect();
    await guardian.attach();
    expectOk(await guardian.end('lease-1'));
    expect(await bench().connect().attach()).toMatchObject({ kind: 'absent', over: 'lease-1' });
  });
});
