import { createGuardian } from '../../src/adapters/guardian/create-guardian.ts';
import { instant } from '../../src/core/time.ts';
import { bootMillis } from '../../src/guardian/boottime.ts';
import type { LaunchCommand } from '../../src/ports/postgres.ts';

/*
 * The least an agent does: attach, launch when Postgres is down, and arm at every heartbeat. Started
 * as a process of its own, so that it can be killed or frozen. Prints one JSON value a line.
 */

export interface AgentOrders {
  readonly dataDir: string;
  readonly runDir: string;
  readonly executable: string;
  readonly command: LaunchCommand;
  readonly leaseId: string;
  readonly ttlMillis: number;
  readonly heartbeatMillis: number;
  readonly fenceBudgetMillis: number;
}

const print = (event: object): void => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
};

const orders = JSON.parse(process.argv[2] ?? '{}') as AgentOrders;
const guardian = createGuardian({
  dataDir: orders.dataDir,
  runDir: orders.runDir,
  executable: orders.executable,
  clock: {
    now: () => instant(bootMillis()),
    wall: () => Date.now(),
    timer: (delay, callback) => {
      const timer = setTimeout(callback, Math.max(0, delay));
      return () => {
        clearTimeout(timer);
      };
    },
  },
  logger: {
    log: (level, message, fields) => {
      print({ event: 'log', level, message, ...fields });
    },
  },
});

const state = await guardian.attach();
print({ event: 'attached', state });
if (state.kind === 'absent' || state.postmaster.kind === 'down') {
  print({ event: 'launched', result: await guardian.launch(orders.command) });
}
for (;;) {
  const deadline = instant(bootMillis() + orders.ttlMillis);
  const { leaseId, ttlMillis, fenceBudgetMillis } = orders;
  const result = await guardian.arm({
    leaseId,
    n: 1,
    deadline,
    ttlMillis,
    fenceBudgetMillis,
    failsafe: ['a', 'b'],
  });
  print({ event: 'armed', deadline, ok: result.ok });
  await new Promise((resolve) => {
    setTimeout(resolve, orders.heartbeatMillis);
  });
}
