import { FakeConsul } from '../harness/fake-store.ts';
import { realClock, seededRandom } from '../harness/fake-store-clock.ts';
import { storeContract } from './store-contract.ts';

storeContract('the fake store', async () => {
  const consul = new FakeConsul({ clock: realClock, random: seededRandom(1) });
  return {
    connect: (scope, memberName) =>
      consul.connect({ scope, namespace: '/service/', memberName, sessionTtlMillis: 10_000 }),
    put: async (scope, key, value) => {
      consul.server.put(`service/${scope}/${key}`, value);
    },
    destroySession: async (session) => {
      consul.server.destroySession(session);
    },
    close: async () => undefined,
  };
});
