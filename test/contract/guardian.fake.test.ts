import type { ArmedLease, Guardian } from '../../src/ports/guardian.ts';
import { GuardianPort } from '../sim/guardian-port.ts';
import { initialise } from '../sim/postgres-tools.ts';
import { SimProcess } from '../sim/process.ts';
import { World } from '../sim/world.ts';
import { guardianContract } from './guardian-contract.ts';
import { answerIn, untilIn } from './simulated-time.ts';

guardianContract('the simulated guardian', async () => {
  const world = new World({ seed: 1, members: 1 });
  const host = world.host('pg1');
  const until = (what: string, condition: () => boolean): Promise<void> =>
    untilIn(world, what, condition);
  const answer = <T>(call: Promise<T>): Promise<T> => answerIn(world, call);
  const agent = (): SimProcess => new SimProcess(world.queue, host.clock);
  await answer(initialise(host, agent()));
  if (host.disk.kind === 'cluster') host.disk = { ...host.disk, standbySignal: true };
  return {
    connect: (): Guardian => new GuardianPort(host, agent()),
    command: { executable: '', args: [], env: {}, dataDir: '', logFile: '' },
    watchdog: {
      order: (timeoutMillis) => {
        host.watchdog.timeoutMillis = timeoutMillis;
        return { device: '/dev/watchdog', driver: 'default', timeoutMillis, attributes: '/sys' };
      },
      counts: () => host.watchdog.counts,
      pings: () => host.watchdog.pings,
      unplug: () => {
        host.watchdog.trouble = 'missing';
      },
    },
    now: (): ArmedLease['deadline'] => host.clock.now(),
    answer,
    until,
    ready: () => until('in recovery', () => host.postgres.state === 'recovery'),
    crashServer: () => {
      host.postgres.kill(true);
    },
    close: () => Promise.resolve(),
  };
});
