import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Result } from '../../src/core/result.ts';
import { plus } from '../../src/core/time.ts';
import type { Instant, Millis } from '../../src/core/time.ts';
import type { HeldWatchdog, WatchdogOrder } from '../../src/core/watchdog.ts';
import type { ArmedLease, Guardian } from '../../src/ports/guardian.ts';
import type { LaunchCommand } from '../../src/ports/postgres.ts';

/** A host with a server that can be launched, real or simulated, and time that passes while one waits. */
export interface GuardianUnderTest {
  /** A further run of the agent of this host. */
  connect(): Guardian;
  readonly command: LaunchCommand;
  /** The watchdog device of the host, which resets nothing. */
  readonly watchdog: {
    order(timeoutMillis: Millis): WatchdogOrder;
    counts(): boolean;
    pings(): number;
    /** From now on it cannot be opened. */
    unplug(): void;
  };
  /** The boot-time clock of the host. */
  now(): Instant;
  /** What a call answers, as soon as it does. */
  answer<T>(call: Promise<T>): Promise<T>;
  /** Lets time pass until the condition holds; fails when it takes unreasonably long. */
  until(what: string, condition: () => boolean): Promise<void>;
  /** The server that was launched has started, as far as it can. */
  ready(): Promise<void>;
  /** The postmaster dies of itself. */
  crashServer(): void;
  close(): Promise<void>;
}

const FENCE_BUDGET_MILLIS = 100;
const STOP_TIMEOUT_MILLIS = 5000;

/** What the agent and its tests rely on, whichever guardian is behind the port. */
export function guardianContract(title: string, open: () => Promise<GuardianUnderTest>): void {
  describe(title, () => {
    let host: GuardianUnderTest;
    let guardian: Guardian;

    beforeEach(async () => {
      host = await open();
      guardian = host.connect();
      await host.answer(guardian.attach());
    });
    afterEach(async () => {
      await host.close();
    });

    const lease = (endsInMillis: Millis, leaseId = 'lease-1'): ArmedLease => ({
      leaseId,
      n: 7,
      deadline: plus(host.now(), endsInMillis),
      ttlMillis: 3000,
      fenceBudgetMillis: FENCE_BUDGET_MILLIS,
      failsafe: ['a', 'b'],
    });
    /** One whose fence begins long before its end: there is time to see that all is over by then. */
    const leaseToMiss = (): ArmedLease => ({ ...lease(2500), fenceBudgetMillis: 1000 });
    const outcome = async (call: Promise<Result<unknown>>): Promise<string> => {
      const result = await host.answer(call);
      return result.ok ? 'ok' : result.error.code;
    };
    const postmaster = (of = guardian): string => {
      const state = of.state();
      return state.kind === 'absent' ? 'no guardian' : state.postmaster.kind;
    };
    const cause = (): string | undefined => {
      const state = guardian.state();
      if (state.kind === 'absent' || state.postmaster.kind === 'up') return undefined;
      return state.postmaster.exit?.cause;
    };
    const armed = (of = guardian): string | undefined => {
      const state = of.state();
      return state.kind === 'absent' ? undefined : state.armed?.leaseId;
    };
    const launched = async (): Promise<void> => {
      expect(await outcome(guardian.launch(host.command))).toBe('ok');
      await host.until('up', () => postmaster() === 'up');
      await host.ready();
    };

    test('is absent before anything was launched, and has nothing to stop', async () => {
      expect(guardian.state()).toEqual({ kind: 'absent', foreign: undefined });
      expect(await outcome(guardian.fence('test'))).toBe('ok');
      expect(await outcome(guardian.disarm())).toBe('ok');
    });

    test('launches one postmaster, and no second one beside it', async () => {
      await launched();
      expect(await outcome(guardian.launch(host.command))).toBe('postmaster-running');
    });

    test.each([
      ['fast', 'stopped'],
      ['immediate', 'stopped'],
    ] as const)('stops it %s and says that it was asked to', async (mode, expected) => {
      await launched();
      expect(await outcome(guardian.stop(mode, STOP_TIMEOUT_MILLIS))).toBe('ok');
      await host.until('down', () => postmaster() === 'down');
      expect(cause()).toBe(expected);
    });

    test('launches it again after a stop', async () => {
      await launched();
      await host.answer(guardian.stop('fast', STOP_TIMEOUT_MILLIS));
      await host.until('down', () => postmaster() === 'down');
      await launched();
    });

    test('has ended every process when a fence is answered', async () => {
      await launched();
      expect(await outcome(guardian.fence('test'))).toBe('ok');
      await host.until('down', () => postmaster() === 'down');
      expect(cause()).toBe('fenced');
    });

    test('tells at once that the postmaster has died of itself', async () => {
      await launched();
      let changes = 0;
      guardian.onChange(() => {
        changes += 1;
      });
      host.crashServer();
      await host.until('down', () => postmaster() === 'down');
      expect(changes).toBeGreaterThan(0);
      expect(cause()).toBe('exited');
    });

    test('fences before the deadline when nobody extends the lease', async () => {
      await launched();
      const given = leaseToMiss();
      expect(await outcome(guardian.arm(given))).toBe('ok');
      expect(armed()).toBe('lease-1');
      await host.until('down', () => postmaster() === 'down');
      expect(host.now()).toBeLessThan(given.deadline);
      expect(cause()).toBe('deadline');
      await host.until('no longer armed', () => armed() === undefined);
    });

    test('does not fence while the lease is extended', async () => {
      await launched();
      const first = lease(1500);
      expect(await outcome(guardian.arm(first))).toBe('ok');
      expect(await outcome(guardian.arm(lease(3500)))).toBe('ok');
      await host.until('past the first deadline', () => host.now() > first.deadline);
      expect(postmaster()).toBe('up');
      await host.until('down', () => postmaster() === 'down');
    });

    test('does not fence after the lease was taken back', async () => {
      await launched();
      const given = lease(1500);
      await host.answer(guardian.arm(given));
      expect(await outcome(guardian.disarm())).toBe('ok');
      expect(armed()).toBeUndefined();
      await host.until('past the deadline', () => host.now() > plus(given.deadline, 100));
      expect(postmaster()).toBe('up');
    });

    test('refuses a lease that leaves no time for a fence', async () => {
      await launched();
      expect(await outcome(guardian.arm(lease(FENCE_BUDGET_MILLIS)))).toBe('deadline-passed');
      expect(postmaster()).toBe('up');
    });

    test('does not take back a lease that it has fenced for', async () => {
      await launched();
      await host.answer(guardian.arm(lease(1500)));
      await host.until('down', () => postmaster() === 'down');
      await host.until('no longer armed', () => armed() === undefined);
      expect(await outcome(guardian.arm(lease(3000)))).toBe('lease-lapsed');
      expect(await outcome(guardian.arm(lease(3000, 'lease-2')))).toBe('ok');
    });

    test('says of no lease that it is over while its server runs', async () => {
      await launched();
      await host.answer(guardian.arm(lease(5000)));
      expect(await outcome(guardian.end('lease-1'))).toBe('postmaster-running');
      expect(guardian.state().over).toBeUndefined();
      expect(armed()).toBe('lease-1');
    });

    test('keeps for the next agent which lease is over, and never arms it again', async () => {
      await launched();
      await host.answer(guardian.arm({ ...lease(5000), paused: true }));
      await host.answer(guardian.stop('fast', STOP_TIMEOUT_MILLIS));
      await host.until('down', () => postmaster() === 'down');
      expect(await outcome(guardian.end('lease-1'))).toBe('ok');
      expect(armed()).toBeUndefined();
      expect(await outcome(guardian.arm(lease(5000)))).toBe('lease-lapsed');
      await host.answer(guardian.detach());
      const next = host.connect();
      expect(await host.answer(next.attach())).toMatchObject({ armed: undefined, over: 'lease-1' });
      expect(await outcome(next.arm({ ...lease(5000), paused: true }))).toBe('lease-lapsed');
      expect(await outcome(next.arm(lease(5000, 'lease-2')))).toBe('ok');
      expect(next.state()).toMatchObject({ armed: { leaseId: 'lease-2' }, over: 'lease-1' });
    });

    test('says itself that a lease is over which it has fenced for', async () => {
      await launched();
      await host.answer(guardian.arm(lease(1500)));
      await host.until('over', () => guardian.state().over === 'lease-1');
      expect(postmaster()).toBe('down');
    });

    test('freezes nothing without a lease that ends it', async () => {
      await launched();
      expect(await outcome(guardian.freeze())).toBe('lease-not-armed');
      expect(await outcome(guardian.thaw())).toBe('ok');
    });

    test('freezes nothing under a paused lease, and lets go on what stands still when the pause begins', async () => {
      await launched();
      const given = lease(5000);
      await host.answer(guardian.arm(given));
      expect(await outcome(guardian.freeze())).toBe('ok');
      await host.answer(guardian.arm({ ...given, paused: true }));
      expect(await outcome(guardian.freeze())).toBe('lease-paused');
      expect(await outcome(guardian.stop('fast', STOP_TIMEOUT_MILLIS))).toBe('ok');
      await host.until('down', () => postmaster() === 'down');
    });

    test('fences a server that stands still, though nobody lets it go on', async () => {
      await launched();
      const given = leaseToMiss();
      await host.answer(guardian.arm(given));
      expect(await outcome(guardian.freeze())).toBe('ok');
      await host.until('down', () => postmaster() === 'down');
      expect(host.now()).toBeLessThan(given.deadline);
      expect(cause()).toBe('deadline');
    });

    test('lets a server go on that it has frozen for another agent', async () => {
      await launched();
      await host.answer(guardian.arm(lease(5000)));
      expect(await outcome(guardian.freeze())).toBe('ok');
      await host.answer(guardian.detach());
      const next = host.connect();
      await host.answer(next.attach());
      expect(await outcome(next.thaw())).toBe('ok');
      expect(await outcome(next.stop('fast', STOP_TIMEOUT_MILLIS))).toBe('ok');
      await host.until('down', () => postmaster(next) === 'down');
    });

    const held = (of = guardian): HeldWatchdog['kind'] | undefined => {
      const state = of.state();
      return state.kind === 'absent' ? undefined : state.watchdog?.kind;
    };
    const watched = async (endsInMillis: Millis): Promise<void> => {
      await launched();
      const order = host.watchdog.order(1000);
      expect(await outcome(guardian.arm(lease(endsInMillis), order))).toBe('ok');
    };

    test('holds the watchdog device by the time it acknowledges the lease, and pings it', async () => {
      await watched(5000);
      expect(held()).toBe('open');
      await host.until('it counts down', () => host.watchdog.counts());
      const before = host.watchdog.pings();
      await host.until('pinged', () => host.watchdog.pings() > before + 1);
    });

    test('stops the watchdog device once the server is fenced at the deadline', async () => {
      await watched(1600);
      await host.until('down', () => postmaster() === 'down');
      expect(cause()).toBe('deadline');
      await host.until('it is stopped', () => !host.watchdog.counts() && held() === 'closed');
    });

    test('stops the watchdog device when the lease is taken back', async () => {
      await watched(5000);
      expect(await outcome(guardian.disarm())).toBe('ok');
      await host.until('it is stopped', () => !host.watchdog.counts() && held() === 'closed');
      expect(postmaster()).toBe('up');
    });

    test('stops the watchdog device when no time ends the lease any more, and starts it again', async () => {
      await watched(5000);
      const given = lease(5000);
      expect(await outcome(guardian.arm({ ...given, paused: true }))).toBe('ok');
      await host.until('it is stopped', () => !host.watchdog.counts() && held() === 'closed');
      expect(await outcome(guardian.arm(given, host.watchdog.order(1000)))).toBe('ok');
      expect(held()).toBe('open');
      await host.until('it counts down', () => host.watchdog.counts());
    });

    test('stops the watchdog device when it is told of none any more', async () => {
      await watched(5000);
      expect(await outcome(guardian.arm(lease(5000)))).toBe('ok');
      await host.until('it is stopped', () => !host.watchdog.counts() && held() === 'closed');
    });

    test('guards the lease all the same when the watchdog device cannot be opened, and says so', async () => {
      host.watchdog.unplug();
      await watched(1600);
      expect(held()).toBe('failed');
      expect(armed()).toBe('lease-1');
      await host.until('down', () => postmaster() === 'down');
    });

    test('does not open a watchdog device that would outlast the lease', async () => {
      await watched(900);
      expect(held()).toBe('closed');
      expect(host.watchdog.pings()).toBe(0);
    });

    test('shows the watchdog device that it holds to the next agent', async () => {
      await watched(5000);
      await host.answer(guardian.detach());
      const next = host.connect();
      expect(await host.answer(next.attach())).toMatchObject({
        watchdog: { kind: 'open', order: host.watchdog.order(1000) },
      });
    });

    test('shows what runs and what it guards to the next agent, and obeys it', async () => {
      await launched();
      const given = lease(5000);
      await host.answer(guardian.arm(given));
      await host.answer(guardian.detach());
      const next = host.connect();
      expect(await host.answer(next.attach())).toMatchObject({
        kind: 'present',
        postmaster: { kind: 'up' },
        armed: { leaseId: 'lease-1', n: 7, ttlMillis: 3000, failsafe: ['a', 'b'] },
      });
      expect(await outcome(next.stop('fast', STOP_TIMEOUT_MILLIS))).toBe('ok');
      await host.until('down', () => postmaster(next) === 'down');
    });
  });
}
