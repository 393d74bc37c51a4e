import { expect, test } from 'vitest';
import type { DemoMember, RestAnswer } from '../../src/demo/member.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { BOUNDS, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { storedGeneration } from '../harness/cluster-store.ts';

const LONGEST_GAP_MILLIS = 3_000;

const get = useCluster({ members: 3 });
const load = useLoad(get);

const ask = async (member: DemoMember, path: string, body: JsonObject): Promise<RestAnswer> =>
  member.rest(path, { method: 'POST', body, timeoutMillis: BOUNDS.takeoverMillis });

/** A body that is none, sent as it is. */
async function sendText(member: DemoMember, text: string): Promise<RestAnswer> {
  const answer = await fetch(`${member.restUrl}/switchover`, {
    method: 'POST',
    body: text,
    headers: { 'content-type': 'application/json' },
    signal: AbortSignal.timeout(BOUNDS.takeoverMillis),
  });
  return { status: answer.status, body: {}, text: await answer.text() };
}

/** From the answer: who leads, and how long writes were stopped; checked against what the clients saw. */
async function expectSwitched(
  answer: RestAnswer,
  from: DemoMember,
  to: DemoMember,
  begunAt: number,
): Promise<void> {
  expect(answer.status, answer.text).toBe(200);
  expect(answer.text).toContain(to.name);
  const told = Number(/writes were stopped for (\d+) ms/.exec(answer.text)?.[1]);
  expect(told).toBeGreaterThan(0);
  await load().whenServing(to);
  const seen = load().gapSince(begunAt);
  expect(seen).toBeLessThan(LONGEST_GAP_MILLIS);
  expect(
    Math.abs(told - seen),
    `told ${told} ms, the clients saw ${Math.round(seen)} ms`,
  ).toBeLessThan(LONGEST_GAP_MILLIS / 2);
  expect(load().writableSequence(begunAt)).toEqual([from.name, to.name]);
  expect(load().primarySequence(begunAt).at(-1)).toBe(to.name);
  expect(load().twoPrimaries).toEqual([]);
  expect(await load().lost(to)).toEqual([]);
  expect((await storedGeneration(get())).holder).toBe(to.name);
}

test('to a named candidate: it leads, nothing is lost, the answer tells how long writes were stopped', async () => {
  const primary = await get().settle();
  const candidate = get().others(primary).at(-1) ?? primary;
  const begunAt = performance.now();
  const answer = await ask(primary, '/switchover', {
    leader: primary.name,
    candidate: candidate.name,
  });
  await expectSwitched(answer, primary, candidate, begunAt);
});

test('to the best candidate when none is named', async () => {
  const primary = await get().settle();
  const begunAt = performance.now();
  const answer = await ask(primary, '/switchover', { leader: primary.name });
  const next = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  await expectSwitched(answer, primary, next, begunAt);
});

test('asked of a replica: it passes the wish on to the leader and answers with the outcome', async () => {
  const primary = await get().settle();
  const [candidate, other] = get().others(primary);
  const asked = other ?? candidate;
  const answer = await ask(asked, '/switchover', {
    leader: primary.name,
    candidate: candidate.name,
  });
  expect(answer.status, answer.text).toBe(200);
  expect(answer.text).toContain(candidate.name);
  expect(await get().settle()).toBe(candidate);
  await load().whenServing(candidate);
  expect(await load().lost(candidate)).toEqual([]);
});

test('a manual failover to a named member goes there', async () => {
  const primary = await get().settle();
  const [candidate] = get().others(primary);
  const begunAt = performance.now();
  const answer = await ask(primary, '/failover', { candidate: candidate.name });
  await expectSwitched(answer, primary, candidate, begunAt);
});

test('every change of leader is in /history with its timeline', async () => {
  const primary = await get().settle();
  const answer = await primary.rest('/history', { timeoutMillis: BOUNDS.conditionMillis });
  const rows = JSON.parse(answer.text) as readonly (readonly unknown[])[];
  const { timeline } = await storedGeneration(get());
  expect(rows.at(-1)?.[0]).toBe(timeline - 1);
  expect(rows.at(-1)?.at(-1)).toBe(primary.name);
  expect(rows.length).toBeGreaterThanOrEqual(4);
});

interface Refusal {
  readonly what: string;
  readonly path: '/switchover' | '/failover';
  readonly body: (primary: string, replica: string) => JsonObject;
  readonly status: number;
  readonly says: RegExp;
}

const REFUSALS: readonly Refusal[] = [
  {
    what: 'an unknown candidate',
    path: '/switchover',
    body: (primary) => ({ leader: primary, candidate: 'pg9' }),
    status: 412,
    says: /pg9.*members: .*pg1/,
  },
  {
    what: 'a leader that does not lead',
    path: '/switchover',
    body: (_primary, replica) => ({ leader: replica }),
    status: 412,
    says: /leader name does not match: the leader is pg\d/,
  },
  {
    what: 'the leader as its own candidate',
    path: '/switchover',
    body: (primary) => ({ leader: primary, candidate: primary }),
    status: 400,
    says: /same/,
  },
  {
    what: 'no leader named',
    path: '/switchover',
    body: (_primary, replica) => ({ candidate: replica }),
    status: 400,
    says: /leader/,
  },
  {
    what: 'a failover without a candidate',
    path: '/failover',
    body: () => ({ candidate: null }),
    status: 400,
    says: /candidate/,
  },
  {
    what: 'a failover to an unknown member',
    path: '/failover',
    body: () => ({ candidate: 'pg9' }),
    status: 412,
    says: /pg9/,
  },
];

test.each(REFUSALS)(
  'refused at once and without effect: $what',
  async ({ path, body, status, says }) => {
    const primary = await get().settle();
    const [replica] = get().others(primary);
    const before = await storedGeneration(get());
    const begunAt = performance.now();
    const answer = await ask(primary, path, body(primary.name, replica.name));
    expect(answer.status, answer.text).toBe(status);
    expect(answer.text).toMatch(says);
    await load().whenServing(primary);
    expect((await storedGeneration(get())).n).toBe(before.n);
    expect(
      load()
        .writerOf(primary)
        .disconnections.filter(({ atMillis }) => atMillis > begunAt),
    ).toEqual([]);
  },
);

test.each(['this is no JSON', '[1]', '"pg1"', '', '{"leader": 5}'])(
  'refused with the reason: the body %j',
  async (text) => {
    const primary = await get().settle();
    const before = await storedGeneration(get());
    const answer = await sendText(primary, text);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.text.length).toBeGreaterThan(10);
    expect((await storedGeneration(get())).n).toBe(before.n);
  },
);

test('refused with the reason of each when nobody can take over, and the leader goes on', async () => {
  const primary = await get().settle();
  const before = await storedGeneration(get());
  const replicas = get().others(primary);
  for (const replica of replicas) await replica.kill();
  const begunAt = performance.now();
  const answer = await ask(primary, '/switchover', { leader: primary.name });
  expect(answer.status, answer.text).toBe(412);
  for (const replica of replicas) expect(answer.text).toContain(replica.name);
  await load().whenServing(primary);
  expect((await storedGeneration(get())).n).toBe(before.n);
  expect(
    load()
      .writerOf(primary)
      .disconnections.filter(({ atMillis }) => atMillis > begunAt),
  ).toEqual([]);
  expect(await get().settle()).toBe(primary);
});
