import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { GuardianOptions } from '../../src/adapters/guardian/create-guardian.ts';
import { createGuardian } from '../../src/adapters/guardian/create-guardian.ts';
import type { Result } from '../../src/core/result.ts';
import { instant } from '../../src/core/time.ts';
import { bootMillis } from '../../src/guardian/boottime.ts';
import { fenceServer, targetOf } from '../../src/guardian/fence.ts';
import type { ArmedLease, Guardian } from '../../src/ports/guardian.ts';
import type { FakeServer } from './guardian-fake-server.ts';
import { layOutFakeServer } from './guardian-fake-server.ts';
import type { GuardianProgram } from './guardian-program.ts';
import { compileGuardian, endGuardian, hostClock, silentLogger } from './guardian-program.ts';

/** A fake server in a directory of its own, and agents that guard it by a real guardian. */
export class GuardianBench {
  readonly root = mkdtempSync(join(tmpdir(), 'pgbaton-guardian-'));
  readonly #program: GuardianProgram;
  readonly #clients: Guardian[] = [];
  readonly #runDirs = new Set<string>();
  server: FakeServer = layOutFakeServer(this.root);

  constructor(program: GuardianProgram) {
    this.#program = program;
  }

  connect(options: Partial<GuardianOptions> = {}): Guardian {
    const { dataDir, runDir } = this.server;
    this.#runDirs.add(runDir);
    const guardian = createGuardian({
      dataDir,
      runDir,
      logger: silentLogger,
      clock: hostClock,
      executable: this.#program.executable,
      idleExitMillis: 10_000,
      ...options,
    });
    this.#clients.push(guardian);
    return guardian;
  }

  /** An agent that has launched the server. */
  async started(options?: Partial<GuardianOptions>): Promise<Guardian> {
    const guardian = this.connect(options);
    await guardian.attach();
    expectOk(await guardian.launch(this.server.command));
    return guardian;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.detach();
    for (const runDir of this.#runDirs) await endGuardian(runDir);
    await fenceServer(targetOf(this.server.dataDir, undefined), 5000);
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** A bench for each test of the file or the group, and one program for all of them. */
export function useGuardianBench(): () => GuardianBench {
  let program: GuardianProgram;
  let bench: GuardianBench;
  beforeAll(() => {
    program = compileGuardian();
  });
  afterAll(() => {
    program.remove();
  });
  beforeEach(() => {
    bench = new GuardianBench(program);
  });
  afterEach(async () => {
    await bench.close();
  });
  return () => bench;
}

export function expectOk<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.value;
}

export const codeOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.error.code);

/** A lease that ends so much from now; a fence budget of 100 ms begins the fence 150 ms before that. */
export const lease = (
  endsInMillis: number,
  leaseId = 'lease-1',
  fenceBudgetMillis = 100,
): ArmedLease => ({
  leaseId,
  n: 7,
  deadline: instant(bootMillis() + endsInMillis),
  ttlMillis: 3000,
  fenceBudgetMillis,
  failsafe: ['a', 'b'],
});

/** One whose fence begins long before its end: there is time to see that all is over by then. */
export const leaseToMiss = (): ArmedLease => lease(2500, 'lease-1', 1000);

export const postmasterOf = (guardian: Guardian): string => {
  const state = guardian.state();
  return state.kind === 'absent' ? 'no guardian' : state.postmaster.kind;
};

/** Which lease is over, as this agent knows. */
export const overOf = (guardian: Guardian): string | undefined => guardian.state().over;

export const exitOf = (guardian: Guardian): Record<string, unknown> | undefined => {
  const state = guardian.state();
  if (state.kind === 'absent' || state.postmaster.kind === 'up') return undefined;
  return state.postmaster.exit && { ...state.postmaster.exit };
};
