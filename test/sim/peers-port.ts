import type { Agent } from '../../src/agent/agent.ts';
import { done, fail, ok } from '../../src/core/result.ts';
import type { Result } from '../../src/core/result.ts';
import type { PeerAddress, Peers } from '../../src/ports/peers.ts';
import type { Machine } from './model.ts';
import type { SimProcess } from './process.ts';

/** Other members as one agent reaches them: by the address that they publish. */
export function peersPort(host: Machine, process: SimProcess): Peers {
  const { world } = host;
  const ask = <T>(
    peer: PeerAddress,
    timeoutMillis: number,
    produce: (agent: Agent) => T,
  ): Promise<Result<T>> =>
    new Promise((resolve) => {
      const address = new URL(peer.apiUrl).hostname;
      process.clock().timer(timeoutMillis, () => {
        resolve(fail('peer-timeout', `${peer.name} did not answer`));
      });
      const back = (answer: Result<T>): void => {
        world.network.send(address, host.address, () => {
          process.run(() => {
            resolve(answer);
          });
        });
      };
      world.network.send(host.address, address, () => {
        const there = world.hosts.find((other) => other.address === address);
        if (there === undefined || !there.up) return;
        const agent = there.agent;
        if (agent === undefined) {
          there.system.run(() => back(fail('peer-unreachable', 'connection refused')));
          return;
        }
        // Whoever listens there does as it is told, and says its name.
        agent.process.run(() => {
          const said = produce(agent.agent);
          if (there.name === peer.name) back(ok(said));
          else back(fail('wrong-peer', `${peer.apiUrl} is ${there.name}, not ${peer.name}`));
        });
      });
    });
  return {
    report: (peer, timeoutMillis) => ask(peer, timeoutMillis, (agent) => agent.peerReport()),
    promise: (peer, request, timeoutMillis) =>
      ask(peer, timeoutMillis, (agent) => agent.promise(request)),
    withdraw: async (peer, leaseId, timeoutMillis) => {
      const answer = await ask(peer, timeoutMillis, (agent) => {
        agent.withdraw(leaseId);
      });
      return answer.ok ? done : answer;
    },
  };
}
