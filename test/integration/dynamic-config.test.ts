import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { DemoMember, RestAnswer } from '../../src/demo/member.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { postmasterPid, signalProcess } from '../../src/demo/processes.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { storedGeneration, storedKey } from '../harness/cluster-store.ts';

const get = useCluster({ members: 2 });

const patch = async (member: DemoMember, body: JsonObject): Promise<RestAnswer> =>
  member.rest('/config', { method: 'PATCH', body, timeoutMillis: BOUNDS.conditionMillis });

async function show(member: DemoMember, name: string): Promise<unknown> {
  const [row] = await member.sql('select current_setting($1) as value', [name]);
  return row?.['value'];
}

async function everywhere(name: string, value: string): Promise<void> {
  for (const member of get().members) {
    await eventually(`${name} = ${value} on ${member.name}`, async () => {
      return (await show(member, name)) === value;
    });
  }
}

test('a change that needs no restart is live on every member at once, without one', async () => {
  const primary = await get().settle();
  const before = get().members.map(({ dataDir }) => postmasterPid(dataDir));
  const answer = await patch(primary, { postgresql: { parameters: { work_mem: '7MB' } } });
  expect(answer.status, answer.text).toBe(200);
  expect(answer.text).toContain('7MB');
  await everywhere('work_mem', '7MB');
  expect(get().members.map(({ dataDir }) => postmasterPid(dataDir))).toEqual(before);
  expect((await patch(primary, { postgresql: { parameters: { work_mem: null } } })).status).toBe(
    200,
  );
  await everywhere('work_mem', '4MB');
});

test('POST /reload and SIGHUP read the level of the log again', async () => {
  const [member] = get().members;
  if (member === undefined) throw new Error('no member');
  const setLevel = (level: string): void => {
    const config = parse(readFileSync(member.configFile, 'utf8')) as JsonObject;
    writeFileSync(member.configFile, stringify({ ...config, log: { type: 'json', level } }));
  };
  const linesOfReloads = (): number =>
    readFileSync(member.logFile, 'utf8').split('the configuration was reloaded').length - 1;
  const before = linesOfReloads();
  setLevel('ERROR');
  for (let round = 0; round < 2; round += 1) {
    expect((await member.rest('/reload', { method: 'POST' })).status).toBe(202);
  }
  setLevel('INFO');
  signalProcess(member.agent.pid, 'SIGHUP');
  await eventually('a line of the last reload', () => linesOfReloads() > before);
  expect(linesOfReloads(), 'the others were not to be logged').toBe(before + 1);
});

test('a change that needs a restart is shown as pending, and live after one', async () => {
  const primary = await get().settle();
  const before = await storedGeneration(get());
  const answer = await patch(primary, { postgresql: { parameters: { max_connections: 60 } } });
  expect(answer.status, answer.text).toBe(200);
  for (const member of get().members) {
    await eventually(`a pending restart of ${member.name}`, async () => {
      const { body } = await member.rest('/patroni');
      return body['pending_restart'] === true;
    });
    expect(await show(member, 'max_connections')).toBe('50');
  }
  // A standby may not have less than its primary, so the primary goes first.
  for (const member of [primary, ...get().others(primary)]) {
    const restarted = await member.rest('/restart', {
      method: 'POST',
      body: {},
      timeoutMillis: BOUNDS.rejoinMillis,
    });
    expect(restarted.status, restarted.text).toBe(200);
  }
  expect(await get().settle()).toBe(primary);
  await everywhere('max_connections', '60');
  for (const member of get().members) {
    await eventually(`nothing pending on ${member.name}`, async () => {
      return (await member.rest('/patroni')).body['pending_restart'] === undefined;
    });
  }
  expect((await storedGeneration(get())).n, 'a restart is no failover').toBe(before.n);
});

test('a restart "only if pending" is refused with the reason when none is', async () => {
  const primary = await get().settle();
  const pid = postmasterPid(primary.dataDir);
  const body = { restart_pending: true };
  const answer = await primary.rest('/restart', { method: 'POST', body });
  expect(answer.status, answer.text).toBe(503);
  expect(answer.text).toMatch(/no restart is pending/);
  expect(postmasterPid(primary.dataDir)).toBe(pid);
});

test('another ttl is in force with the next heartbeats, without a change of leader', async () => {
  const primary = await get().settle();
  const before = await storedGeneration(get());
  const ttlStored = async (): Promise<unknown> => {
    const lease = JSON.parse((await storedKey(get(), 'lease')).text) as { ttl_ms?: unknown };
    return lease.ttl_ms;
  };
  expect(await ttlStored()).toBe(3_000);
  expect((await patch(primary, { ttl: 6 })).status).toBe(200);
  await eventually('a lease of 6 s', async () => (await ttlStored()) === 6_000);
  expect((await patch(primary, { ttl: 3 })).status).toBe(200);
  await eventually('a lease of 3 s', async () => (await ttlStored()) === 3_000);
  expect(await get().settle()).toBe(primary);
  expect((await storedGeneration(get())).n).toBe(before.n);
});

const REFUSED: readonly { readonly body: JsonObject; readonly says: RegExp }[] = [
  { body: { ttl: 0.1 }, says: /ttl/ },
  { body: { ttl: 'soon' }, says: /ttl/ },
  { body: { ttl: 3, heartbeat: 2 }, says: /heartbeat/ },
  { body: { retry_timeout: 30 }, says: /retry_timeout/ },
  { body: { maximum_lag_on_failover: -5 }, says: /maximum_lag_on_failover/ },
  { body: { postgresql: 'fast' }, says: /postgresql/ },
];

test.each(REFUSED)('refused with the reason, nothing changed: $body', async ({ body, says }) => {
  const primary = await get().settle();
  const before = await storedKey(get(), 'config');
  const answer = await patch(primary, body);
  expect(answer.status, answer.text).toBe(400);
  expect(answer.text).toMatch(says);
  expect((await storedKey(get(), 'config')).modifyIndex).toBe(before.modifyIndex);
});

test('PUT replaces the whole; what is left out returns to its default', async () => {
  const primary = await get().settle();
  const config = (await primary.rest('/config')).body;
  expect((await patch(primary, { maximum_lag_on_failover: 5_000_000 })).status).toBe(200);
  const answer = await primary.rest('/config', { method: 'PUT', body: config });
  expect(answer.status, answer.text).toBe(200);
  expect((await primary.rest('/config')).body).toEqual(config);
});

test('a reload of one member takes its own file, and only there', async () => {
  const primary = await get().settle();
  const [replica] = get().others(primary);
  const original = readFileSync(replica.configFile, 'utf8');
  const document = parse(original) as {
    postgresql: { parameters: Record<string, unknown> };
    tags?: unknown;
  };
  document.postgresql.parameters['log_min_duration_statement'] = '5s';
  document.tags = { nofailover: true };
  writeFileSync(replica.configFile, stringify(document));
  const answer = await replica.rest('/reload', { method: 'POST', body: {} });
  expect(answer.status, answer.text).toBe(202);
  await eventually('the parameter', async () => {
    return (await show(replica, 'log_min_duration_statement')) === '5s';
  });
  expect(await show(primary, 'log_min_duration_statement')).toBe('-1');
  const refused = await primary.rest('/switchover', {
    method: 'POST',
    body: { leader: primary.name, candidate: replica.name },
    timeoutMillis: BOUNDS.takeoverMillis,
  });
  expect(refused.status, refused.text).toBe(412);
  expect(refused.text).toContain('nofailover');
  writeFileSync(replica.configFile, original);
  replica.agent.signal('SIGHUP');
  await eventually('the parameter back', async () => {
    return (await show(replica, 'log_min_duration_statement')) === '-1';
  });
});

test('a wrong file is refused at a reload, and what ran before runs on', async () => {
  const primary = await get().settle();
  const [replica] = get().others(primary);
  const original = readFileSync(replica.configFile, 'utf8');
  const pid = postmasterPid(replica.dataDir);
  writeFileSync(replica.configFile, 'scope: [test\n');
  const answer = await replica.rest('/reload', { method: 'POST', body: {} });
  expect(answer.status, answer.text).toBeGreaterThanOrEqual(400);
  expect(answer.text).toContain(replica.configFile);
  expect(await get().settle()).toBe(primary);
  expect(postmasterPid(replica.dataDir)).toBe(pid);
  writeFileSync(replica.configFile, original);
  expect((await replica.rest('/reload', { method: 'POST', body: {} })).status).toBe(202);
});
