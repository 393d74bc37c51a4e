import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lease } from '../../src/core/cluster.ts';
import type { Secret } from '../../src/core/secret.ts';
import type { StoreWrite } from '../../src/ports/cluster-store.ts';
import { createToken, shippedRules } from '../harness/consul-acl.ts';
import { startTestConsul } from '../harness/servers.ts';
import type { TestConsul } from '../harness/servers.ts';
import { mustSucceed, realService, realStore } from './store-real-consul.ts';

const TIMEOUT = 5000;
const SCOPE = 'acl';
const RULES = shippedRules(SCOPE);

let world: TestConsul;
beforeAll(async () => {
  world = await startTestConsul({ acl: true });
});
afterAll(() => world.close());

let tokens = 0;
const tokenOf = async (rules: readonly string[]): Promise<Secret> => {
  tokens += 1;
  return createToken(world.consul, `policy-${tokens}`, rules.join('\n'));
};

const lease: Lease = {
  id: 'id-1',
  n: 1,
  incarnation: 'inc',
  beat: 1,
  ttlMillis: 3000,
  released: undefined,
};

const beat: StoreWrite = {
  guards: [],
  changes: [{ kind: 'set', entry: { key: 'lease', value: lease } }],
};

const FACTS = {
  role: 'primary',
  state: 'running',
  connUrl: 'postgres://127.0.0.1:5432/postgres',
  apiUrl: 'http://127.0.0.1:8008/patroni',
} as const;

/** All that a member asks of Consul in its life: what failed, and what it was told to do about it. */
async function live(token: Secret): Promise<{ failed: string[]; remedies: string[] }> {
  const failed: string[] = [];
  const remedies: string[] = [];
  const options = {
    scope: SCOPE,
    memberName: 'node1',
    token,
    logger: {
      log: (_level: string, _message: string, fields?: Readonly<Record<string, unknown>>) => {
        if (typeof fields?.['remedy'] === 'string') remedies.push(fields['remedy']);
      },
    },
  };
  const store = realStore(world.consul.addresses, options);
  const service = realService(world.consul.addresses, options);
  const note = (what: string, done: boolean): void => {
    if (!done) failed.push(what);
  };
  const opened = await store.openSession(TIMEOUT);
  const session = opened.kind === 'open' ? opened.session : 'none';
  note('session', opened.kind === 'open');
  note(
    'on its own node',
    opened.kind === 'open' && (await nodeOf(session)) === 'pgbaton-acl-node1',
  );
  note('write', (await store.commit(beat, TIMEOUT)).kind === 'committed');
  const read = await store.read(TIMEOUT);
  note('read', read.kind === 'read' && read.record.lease.kind === 'present');
  const lock: StoreWrite = {
    guards: [],
    changes: [{ kind: 'lock', entry: { key: 'leader', value: 'node1' }, session }],
  };
  note('lock', (await store.commit(lock, TIMEOUT)).kind === 'committed');
  note('renew', (await store.renewSession(session, TIMEOUT)).kind === 'open');
  for (const outcome of [await service.publish(FACTS, TIMEOUT), await service.withdraw(TIMEOUT)]) {
    note('service', outcome.ok);
    if (!outcome.ok && outcome.error.remedy !== undefined) remedies.push(outcome.error.remedy);
  }
  await store.commit({ guards: [], changes: [{ kind: 'delete', key: 'leader' }] }, TIMEOUT);
  await store.closeSession(session, TIMEOUT);
  note('session ended', opened.kind !== 'open' || (await nodeOf(session)) === undefined);
  store.close();
  service.close();
  return { failed, remedies };
}

async function nodeOf(session: string): Promise<string | undefined> {
  const text = await mustSucceed(world.consul, `/v1/session/info/${session}`);
  return (JSON.parse(text) as readonly { readonly Node: string }[])[0]?.Node;
}

const nameOf = (rule: string): string => rule.split(' {')[0] ?? '';

describe('config/consul-acl.hcl, on a Consul that denies by default', () => {
  test('suffices for all that a member asks of Consul, and nobody is told to grant more', async () => {
    expect(RULES).toHaveLength(4);
    expect(await live(await tokenOf(RULES))).toEqual({ failed: [], remedies: [] });
  });

  test.each(RULES.map((rule) => [nameOf(rule), rule] as const))(
    'without %s something fails, and the remedy names it',
    async (name, rule) => {
      const { failed, remedies } = await live(
        await tokenOf(RULES.filter((other) => other !== rule)),
      );
      expect(failed.length).toBeGreaterThan(0);
      // Where a prefix is granted, the remedy may name the one member.
      const [kind = '', target = ''] = name.replaceAll('"', '').split(' ');
      const named = remedies.filter(
        (remedy) => remedy.includes(kind.replace('_prefix', '')) && remedy.includes(`"${target}`),
      );
      expect(named, remedies.join('\n')).not.toEqual([]);
    },
  );

  test.each(RULES.map((rule) => [nameOf(rule), rule] as const))(
    '%s must be write: reading does not suffice',
    async (_name, rule) => {
      const weaker = RULES.map((other) =>
        other === rule ? other.replace('write', 'read') : other,
      );
      expect((await live(await tokenOf(weaker))).failed.length).toBeGreaterThan(0);
    },
  );

  const session = { Name: 'x', TTL: '60s' };
  test.each<readonly [string, string, string, object | undefined]>([
    ['keys of another cluster', 'PUT', '/v1/kv/service/other/leader', {}],
    ['keys of a cluster whose name begins alike', 'PUT', '/v1/kv/service/acl2/leader', {}],
    ['a session on the local node', 'PUT', '/v1/session/create', session],
    ['a service of another name', 'PUT', '/v1/agent/service/register', { Name: 'other' }],
    ['a service whose name begins alike', 'PUT', '/v1/agent/service/register', { Name: 'acl2' }],
    [
      'a node of another cluster',
      'PUT',
      '/v1/catalog/register',
      { Node: 'pgbaton-other-n', Address: '::1' },
    ],
    ['the configuration of the Consul agent', 'GET', '/v1/agent/self', undefined],
    ['ACLs', 'GET', '/v1/acl/policies', undefined],
    ['the servers', 'GET', '/v1/operator/raft/configuration', undefined],
    ['snapshots', 'GET', '/v1/snapshot', undefined],
    ['prepared queries', 'POST', '/v1/query', { Name: 'x', Service: { Service: 'acl2' } }],
    ['events', 'PUT', '/v1/event/fire/x', {}],
    ['intentions', 'POST', '/v1/connect/intentions', { SourceName: 'x', DestinationName: 'y' }],
  ])('does not grant %s', async (_what, method, path, body) => {
    const token = await tokenOf(RULES);
    const answer = await fetch(`http://${world.consul.addresses[0]}${path}`, {
      method,
      headers: { 'X-Consul-Token': token.reveal() },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT),
    });
    await answer.arrayBuffer();
    expect(answer.status).toBe(403);
  });
});
