import { afterAll, expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { storedGeneration } from '../harness/cluster-store.ts';
import { DelayingProxy } from '../harness/delaying-proxy.ts';

const MEMBERS = ['pg1', 'pg2', 'pg3'];
const TTL_MILLIS = 3_000;
/** Two leases: without promises the first would have ended. */
const LASTS_MILLIS = 2 * TTL_MILLIS;

const proxies = new Map<string, DelayingProxy>();
for (const name of MEMBERS) proxies.set(name, await DelayingProxy.start());
const proxyOf = (name: string): DelayingProxy => {
  const proxy = proxies.get(name);
  if (proxy === undefined) throw new Error(`no proxy of ${name}`);
  return proxy;
};

/** Each agent reaches Consul through a proxy of its own. */
const get = useCluster(
  {
    members: MEMBERS.length,
    local: (member) => ({ consul: { host: proxyOf(member).address } }),
  },
  async (cluster) => {
    const [address = ''] = cluster.consul.addresses;
    const { hostname, port } = new URL(`http://${address.replace(/^https?:\/\//, '')}`);
    for (const proxy of proxies.values()) proxy.target = { host: hostname, port: Number(port) };
    await cluster.settle();
  },
);
const load = useLoad(get);

afterAll(async () => {
  for (const proxy of proxies.values()) await proxy.close();
});

async function goesOn(primary: DemoMember, trouble: () => void, heal: () => void): Promise<void> {
  const { n } = await storedGeneration(get());
  const begunAt = performance.now();
  trouble();
  try {
    await eventually('its lease carried by promises', async () => {
      const { body } = await primary.rest('/patroni');
      return body['failsafe_mode_is_active'] === true;
    });
    await eventually(
      'the trouble long enough',
      () => performance.now() - begunAt > LASTS_MILLIS,
      2 * LASTS_MILLIS,
    );
  } finally {
    heal();
  }
  await eventually('heartbeats again', async () => {
    const { body } = await primary.rest('/patroni');
    return body['failsafe_mode_is_active'] !== true;
  });
  await load().whenServing(primary);
  expect((await storedGeneration(get())).n).toBe(n);
  expect(load().writableSequence(begunAt)).toEqual([primary.name]);
  expect(load().gapSince(begunAt)).toBeLessThan(BOUNDS.schedulingMillis);
}

test('a Consul that answers after 1.5 s: the primary goes on by promises', async () => {
  const primary = await get().settle();
  const all = (delayMillis: number) => (): void => {
    for (const proxy of proxies.values()) proxy.delayMillis = delayMillis;
  };
  await goesOn(primary, all(1500), all(0));
});

test('a Consul that only the primary cannot reach: it goes on by promises', async () => {
  const primary = await get().settle();
  const proxy = proxyOf(primary.name);
  await goesOn(
    primary,
    () => {
      proxy.cut = true;
    },
    () => {
      proxy.cut = false;
    },
  );
});

test('and when one of those who have to promise is gone as well, another leads within a lease', async () => {
  const primary = await get().settle();
  const [silent] = get().others(primary);
  const begunAt = performance.now();
  silent.agent.signal('SIGSTOP');
  proxyOf(primary.name).cut = true;
  try {
    const next = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
    await load().whenServing(next);
    const last = load()
      .writesSince(begunAt)
      .findLast(({ member }) => member === primary.name)?.atMillis;
    expect((last ?? begunAt) - begunAt).toBeLessThan(TTL_MILLIS + BOUNDS.schedulingMillis);
    expect(load().twoPrimaries).toEqual([]);
    expect(load().writableSequence(begunAt)).toEqual([primary.name, next.name]);
  } finally {
    silent.agent.signal('SIGCONT');
    proxyOf(primary.name).cut = false;
  }
  await get().settle();
});
