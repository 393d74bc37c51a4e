import type { ArmedLease, Guardian } from '../../src/ports/guardian.ts';
import { GuardianPort } from '../sim/guardian-port.ts';
import { initialise } from '../sim/postgres-tools.ts';
import { SimProcess } from '../sim/process.ts';
import { World } from '../sim/world.ts';
import { guardianContract } from './guardian-contract.ts';

const STEP_MILLIS = 2;
const STEPS_MAX = 20_000;

guardianContract('the simulated guardian', async () => {
  const world = new World({ seed: 1, members: 1 });
  const host = world.host('pg1');
  /** Time passes until it is so. */
  const until = async (what: string, condition: () => boolean): Promise<void> => {
    for (let step = 0; step < STEPS_MAX && !condition(); step += 1) await world.run(STEP_MILLIS);
    if (!condition()) throw new Error(`not within ${STEPS_MAX * STEP_MILLIS} ms: ${what}`);
  };
  const answer = async <T>(call: Promise<T>): Promise<T> => {
    let done = false;
    void call.finally(() => {
      done = true;
    });
    await until('an answer', () => done);
    return call;
  };
  const agent = (): SimProcess => new SimProcess(world.queue, host.clock);
  await answer(initialise(host, agent()));
  if (host.disk.kind === 'cluster') host.disk = { ...host.disk, standbySignal: true };
  return {
    connect: (): Guardian => new GuardianPort(host, agent()),
    command: { executable: '', args: [], env: {}, dataDir: '', logFile: '' },
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
