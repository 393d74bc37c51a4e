import { chmodSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bootMillis } from '../../../src/guardian/boottime.ts';
import { readLock } from '../../../src/guardian/lock.ts';
import { signalExactly } from '../../../src/guardian/procfs.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import {
  codeOf,
  expectOk,
  lease,
  leaseToMiss,
  postmasterOf,
  useGuardianBench,
} from '../../harness/guardian-bench.ts';
import { clearFakeServer } from '../../harness/guardian-fake-server.ts';
import {
  hostClock,
  identify,
  readGuardianLog,
  runs,
  unaskingClock,
  until,
} from '../../harness/guardian-program.ts';

/** A fence asks the guardian first, and gives it no more than this. */
const FENCE_ASKS_MILLIS = 150;

/** Once it is told to, it waits a tenth of the time: for a bound that is long on purpose. */
function hastyClock(): { readonly clock: Clock; readonly hasten: () => void } {
  let pace = 1;
  const timer: Clock['timer'] = (delay, callback) => hostClock.timer(delay / pace, callback);
  return {
    clock: { ...hostClock, timer },
    hasten: () => {
      pace = 10;
    },
  };
}

const bench = useGuardianBench();

describe('agents that come and go', () => {
  it('a second agent finds server, lease and deadline as they are, and extends', async () => {
    const first = await bench().started();
    const [postmaster] = await bench().server.processes();
    const armed = lease(2000);
    expectOk(await first.arm(armed));
    await first.detach();
    const second = bench().connect();
    expect(await second.attach()).toMatchObject({
      kind: 'present',
      postmaster: { kind: 'up', pid: postmaster?.pid },
      armed,
    });
    expectOk(await second.arm(lease(60_000)));
    await until('past the first deadline', () => bootMillis() > armed.deadline);
    expect(postmasterOf(second)).toBe('up');
  });

  it('an older agent may not act any more once a newer one has come', async () => {
    const older = await bench().started();
    const processes = await bench().server.processes();
    const newer = bench().connect();
    await newer.attach();
    expectOk(await newer.arm(lease(60_000)));
    expect(codeOf(await older.arm(lease(1)))).toBe('guardian-superseded');
    expect(codeOf(await older.fence('I was frozen'))).toBe('guardian-superseded');
    expect(codeOf(await older.stop('fast', 100))).toBe('guardian-superseded');
    expect(codeOf(await older.launch(bench().server.command))).toBe('guardian-superseded');
    expect(processes.filter(runs)).toHaveLength(processes.length);
    expect(postmasterOf(newer)).toBe('up');
  });

  it('a guardian without anything to do ends by itself and leaves nothing behind', async () => {
    const guardian = await bench().started({ idleExitMillis: 1000 });
    await bench().server.processes();
    const record = identify(readLock(bench().server.runDir)?.pid ?? 0);
    expectOk(await guardian.stop('fast', 5000));
    await guardian.detach();
    await until('the guardian ended', () => !runs(record));
    expect(readLock(bench().server.runDir)).toBeUndefined();
    expect(existsSync(join(bench().server.runDir, 'guardian.sock'))).toBe(false);
    const again = bench().connect();
    expect(await again.attach()).toEqual({ kind: 'absent', foreign: undefined });
  });

  it('an agent that never comes back leaves a guarded server, then a fenced one, then nothing', async () => {
    const guardian = await bench().started({ idleExitMillis: 1000 });
    const processes = await bench().server.processes();
    const record = identify(readLock(bench().server.runDir)?.pid ?? 0);
    expectOk(await guardian.arm(lease(2000)));
    await guardian.detach();
    expect(processes.filter(runs)).toHaveLength(processes.length);
    await until('the guardian ended', () => !runs(record));
    expect(processes.filter(runs)).toEqual([]);
  });
});

describe('the guardian itself', () => {
  it('its death is known at once, and takes the postmaster along', async () => {
    const guardian = await bench().started({ clock: unaskingClock });
    const [postmaster] = await bench().server.processes();
    const record = readLock(bench().server.runDir);
    signalExactly(record!, 'SIGKILL');
    await until('absent', () => guardian.state().kind === 'absent');
    await until('the postmaster ended', () => !runs(postmaster!));
    await until('no foreign server', () => {
      const state = guardian.state();
      return state.kind === 'absent' && state.foreign === undefined;
    });
    clearFakeServer(bench().server);
    expectOk(await guardian.launch(bench().server.command));
    expect(postmasterOf(guardian)).toBe('up');
  });

  it('asked to end, it stops the server first', async () => {
    await bench().started();
    const processes = await bench().server.processes();
    const record = readLock(bench().server.runDir);
    signalExactly(record!, 'SIGTERM');
    await until('ended', () => !runs(record!));
    expect(processes.filter(runs)).toEqual([]);
    expect(readGuardianLog(bench().server.runDir).map((line) => line['message'])).toEqual(
      expect.arrayContaining(['asked to end', 'stopping the postmaster', 'guardian ends']),
    );
  });

  it('asked to end, it still keeps the deadline', async () => {
    const guardian = await bench().started();
    const processes = await bench().server.processes();
    signalExactly(processes[0]!, 'SIGSTOP');
    const armed = leaseToMiss();
    expectOk(await guardian.arm(armed));
    const record = readLock(bench().server.runDir);
    signalExactly(record!, 'SIGTERM');
    await until('its server ended', () => processes.filter(runs).length === 0);
    expect(bootMillis()).toBeLessThan(armed.deadline);
    await until('ended', () => !runs(record!));
  });

  it('a frozen guardian is replaced at the next launch, and its server with it', async () => {
    const first = await bench().started();
    const processes = await bench().server.processes();
    await first.detach();
    const frozen = readLock(bench().server.runDir);
    signalExactly(frozen!, 'SIGSTOP');
    const second = bench().connect();
    const found = await second.attach();
    expect(found).toMatchObject({ kind: 'absent', foreign: { pid: processes[0]?.pid } });
    clearFakeServer(bench().server);
    expectOk(await second.launch(bench().server.command));
    expect(runs(frozen!)).toBe(false);
    expect(processes.filter(runs)).toEqual([]);
    expect(postmasterOf(second)).toBe('up');
  });

  it('a fence does not wait for a guardian that is frozen', async () => {
    const waits: number[] = [];
    const timer: Clock['timer'] = (delay, callback) => {
      waits.push(delay);
      return hostClock.timer(delay, callback);
    };
    const guardian = await bench().started({ clock: { ...hostClock, timer } });
    const processes = await bench().server.processes();
    const frozen = readLock(bench().server.runDir);
    signalExactly(frozen!, 'SIGSTOP');
    const before = waits.length;
    expectOk(await guardian.fence('test'));
    expect(waits.slice(before)).toContain(FENCE_ASKS_MILLIS);
    expect(processes.filter(runs)).toEqual([]);
    expect(postmasterOf(guardian)).toBe('down');
    expect(codeOf(await guardian.arm(lease(3000)))).toBe('guardian-unresponsive');
  });

  it('a frozen guardian of a connected agent is replaced at the next launch, too', async () => {
    const guardian = await bench().started();
    await bench().server.processes();
    const frozen = readLock(bench().server.runDir);
    signalExactly(frozen!, 'SIGSTOP');
    expectOk(await guardian.fence('test'));
    clearFakeServer(bench().server);
    expectOk(await guardian.launch(bench().server.command));
    expect(runs(frozen!)).toBe(false);
    expectOk(await guardian.arm(lease(60_000)));
    expect(postmasterOf(guardian)).toBe('up');
  });

  it('frozen while it guards no lease, it is found out, and its server with it', async () => {
    const { clock, hasten } = hastyClock();
    const guardian = await bench().started({ clock });
    const processes = await bench().server.processes();
    const frozen = readLock(bench().server.runDir);
    signalExactly(frozen!, 'SIGSTOP');
    hasten();
    await until('found out', () => guardian.state().kind === 'absent');
    expect(runs(frozen!)).toBe(false);
    await until('its server ended', () => !runs(processes[0]!));
    await until('nothing foreign', () => {
      const state = guardian.state();
      return state.kind === 'absent' && state.foreign === undefined;
    });
  });

  it('frozen while it guards a lease, it is left to the agent, and goes on if it wakes in time', async () => {
    const { clock, hasten } = hastyClock();
    const guardian = await bench().started({ clock });
    const processes = await bench().server.processes();
    expectOk(await guardian.arm(lease(60_000)));
    const frozen = readLock(bench().server.runDir);
    signalExactly(frozen!, 'SIGSTOP');
    hasten();
    expect(codeOf(await guardian.arm(lease(60_000)))).toBe('guardian-unresponsive');
    for (let silent = 0; silent < 20; silent += 1) {
      expect(codeOf(await guardian.disarm())).toBe('guardian-unresponsive');
    }
    signalExactly(frozen!, 'SIGCONT');
    await until('it answers', async () => (await guardian.arm(lease(60_000))).ok);
    expect(processes.filter(runs)).toHaveLength(processes.length);
  });

  it('works below a run directory whose path is too long for a socket', async () => {
    const deep = join(bench().root, 'x'.repeat(60), 'y'.repeat(60));
    bench().server = { ...bench().server, runDir: deep };
    const guardian = await bench().started();
    await bench().server.processes();
    const noted = readFileSync(join(deep, 'guardian.sock.path'), 'utf8').trim();
    expect(statSync(noted).isSocket()).toBe(true);
    expectOk(await guardian.stop('immediate', 5000));
    rmSync(join(noted, '..'), { recursive: true });
  });

  it('repairs a run directory that others could enter', async () => {
    await bench().started();
    chmodSync(bench().server.runDir, 0o777);
    await bench().connect().attach();
    expect(statSync(bench().server.runDir).mode & 0o777).toBe(0o700);
  });

  it('of several that start at once for one data directory, one is left and serves all', async () => {
    const all = [bench().connect(), bench().connect(), bench().connect(), bench().connect()];
    const launched = await Promise.all(
      all.map((guardian) => guardian.launch(bench().server.command)),
    );
    expect(launched.filter((result) => result.ok).length).toBeLessThanOrEqual(1);
    const processes = await bench().server.processes();
    const guardians = new Set(
      readGuardianLog(bench().server.runDir)
        .filter((line) => line['message'] === 'guardian started')
        .map((line) => line['pid']),
    );
    expect(guardians.size).toBe(1);
    expect(processes.filter(runs)).toHaveLength(processes.length);
  });
});
