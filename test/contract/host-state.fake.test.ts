import { hostStatePort } from '../sim/host-state-port.ts';
import { SimProcess } from '../sim/process.ts';
import { World } from '../sim/world.ts';
import { hostStateContract } from './host-state-contract.ts';
import { answerIn } from './simulated-time.ts';

hostStateContract('the simulated memory of a host', async () => {
  const world = new World({ seed: 1, members: 1 });
  const host = world.host('pg1');
  return {
    connect: () => hostStatePort(host, new SimProcess(world.queue, host.clock)),
    fillDisk: async () => {
      host.trouble.diskFull = true;
      return Promise.resolve();
    },
    answer: (call) => answerIn(world, call),
    close: () => Promise.resolve(),
  };
});
