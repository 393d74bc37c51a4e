import { World } from '../sim/world.ts';
import { postgresPort } from '../sim/postgres-port.ts';
import { SimProcess } from '../sim/process.ts';
import { postgresContract } from './postgres-contract.ts';

const STEP_MILLIS = 2;
const STEPS_MAX = 50_000;

postgresContract('the simulated Postgres', async () => {
  const world = new World({ seed: 1, members: 0 });
  const until = async (condition: () => boolean): Promise<void> => {
    for (let step = 0; step < STEPS_MAX && !condition(); step += 1) await world.run(STEP_MILLIS);
    if (!condition()) throw new Error(`not within ${STEPS_MAX * STEP_MILLIS} ms`);
  };
  const answer = async <T>(call: Promise<T>): Promise<T> => {
    let done = false;
    void call.finally(() => {
      done = true;
    });
    await until(() => done);
    return call;
  };
  return {
    server: (name) => {
      const host = world.addMachine({ name, address: name });
      const postgres = postgresPort(host, new SimProcess(world.queue, host.clock));
      return Promise.resolve({
        postgres,
        upstream: () => ({ name, host: name, port: 5432 }),
        launch: async (target) => {
          const prepared = await answer(postgres.prepareStart(target));
          if (!prepared.ok) throw new Error(prepared.error.message);
          host.postgres.start();
        },
        stop: async () => {
          host.postgres.stopFast();
          await until(() => !host.postgres.up);
        },
        kill: () => {
          host.postgres.kill(true);
          return Promise.resolve();
        },
      });
    },
    answer,
    moment: () => world.run(10),
    close: () => Promise.resolve(),
  };
});
