import type { WatchdogTrouble } from '../harness/fake-watchdog.ts';
import type { Strike } from './ground.ts';

const paused: Strike = ({ during }, host, millis) => {
  const agent = host.agent?.process;
  agent?.freeze('agent');
  during(millis, () => agent?.thaw('agent'));
};

const DEVICE_TROUBLES = [
  'missing',
  'forbidden',
  'held by another',
  'nowayout',
  'refuses pings',
] as const satisfies readonly WatchdogTrouble[];

/** What befalls one machine, its clock and its processes besides Postgres. */
export const HOST_FAULTS = {
  'kill-agent': ({ during }, host, millis) => {
    host.killAgent();
    during(millis, () => {
      host.startAgent();
    });
  },
  /** SIGTERM: it hands over, stops Postgres and leaves. */
  'stop-agent': ({ during }, host, millis) => {
    host.stopAgent();
    during(millis, () => {
      host.startAgent();
    });
  },
  /** An upgrade of the agent: everything runs on under the guardian. */
  'detach-agent': ({ during }, host, millis) => {
    host.detachAgent();
    during(millis, () => {
      host.startAgent();
    });
  },
  'pause-agent': paused,
  'pause-host': ({ during }, host, millis) => {
    host.freeze();
    during(millis, () => {
      host.thaw();
    });
  },
  'lost-time': (_ground, host) => {
    host.loseTime();
  },
  'crash-host': ({ during }, host, millis) => {
    host.crash();
    during(millis, () => {
      host.boot();
    });
  },
  'kill-guardian': (_ground, host) => {
    host.killGuardian();
  },
  /** SIGSTOP, or a lack of memory: it takes nothing in and fences nobody. Not with what stops agents (A3). */
  'pause-guardian': ({ during }, host, millis) => {
    const guardian = host.guardian?.process;
    guardian?.freeze('guardian');
    during(millis, () => guardian?.thaw('guardian'));
  },
  /** Both stand still and Postgres does not: only a watchdog device is left to end it (A3). */
  'pause-guards': ({ during }, host, millis) => {
    const guards = [host.guardian?.process, host.agent?.process];
    for (const process of guards) process?.freeze('guards');
    during(millis, () => {
      for (const process of guards) process?.thaw('guards');
    });
  },
  'watchdog-trouble': ({ draw, during }, host, millis) => {
    const { watchdog } = host;
    watchdog.trouble = draw.pick(DEVICE_TROUBLES);
    during(millis, () => {
      watchdog.trouble = undefined;
    });
  },
  'late-timers': ({ draw, during }, host, millis) => {
    host.trouble.timerLateMillis = draw.between(5, 400);
    during(millis * 2, () => {
      host.trouble.timerLateMillis = 0;
    });
  },
  'wall-clock-jump': ({ draw }, host) => {
    host.clock.setWall(draw.between(-86_400_000, 86_400_000));
  },
  /** Agent and guardian get to run just often enough (A3). */
  'slow-fence': ({ world }, host) => {
    const budgetMillis = world.leastFenceBudgetMillis;
    host.trouble.fenceMillis = 0.7 * budgetMillis;
    host.trouble.guardianLateMillis = 0.25 * budgetMillis;
  },
} as const satisfies Readonly<Record<string, Strike>>;
