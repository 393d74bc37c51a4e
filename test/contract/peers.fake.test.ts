import { peersPort } from '../sim/peers-port.ts';
import { SimProcess } from '../sim/process.ts';
import { World } from '../sim/world.ts';
import { peersContract } from './peers-contract.ts';
import { answerIn } from './simulated-time.ts';

peersContract('the simulated members', async () => {
  const world = new World({ seed: 1, members: 4 });
  const asker = world.host('pg4');
  const member = world.host('pg1');
  member.startAgent();
  world.host('pg3').crash();
  const addressOf = (name: string) => ({ name, apiUrl: `http://${name}:8008/patroni` });
  const peers = peersPort(asker, new SimProcess(world.queue, asker.clock));
  await world.run(1000);
  return {
    peers,
    member: addressOf('pg1'),
    nobody: addressOf('pg2'),
    silent: addressOf('pg3'),
    now: () => asker.clock.now(),
    answer: (call) => answerIn(world, call),
    close: () => Promise.resolve(),
  };
});
