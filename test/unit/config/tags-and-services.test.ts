import { describe, expect, test } from 'vitest';
import { loadClientSettings } from '../../../src/config/resolve.ts';
import { MINIMAL, sourceOf, writeConfig } from './fixtures.ts';

describe('tags', () => {
  test.each([
    ['{}', { nofailover: false, failoverPriority: 1 }, {}, 0],
    ['{nofailover: true}', { nofailover: true, failoverPriority: 0 }, { nofailover: true }, 0],
    [
      '{failover_priority: 3}',
      { nofailover: false, failoverPriority: 3 },
      { failover_priority: 3 },
      0,
    ],
    [
      '{failover_priority: 0}',
      { nofailover: true, failoverPriority: 0 },
      { failover_priority: 0 },
      0,
    ],
    [
      '{nofailover: true, failover_priority: 2}',
      { nofailover: true, failoverPriority: 0 },
      { nofailover: true, failover_priority: 2 },
      1,
    ],
    [
      '{nofailover: off, failover_priority: 0}',
      { nofailover: false, failoverPriority: 1 },
      { nofailover: false, failover_priority: 0 },
      1,
    ],
    [
      '{nofailover: false, noloadbalance: no, clonefrom: yes, custom: x, zone: 1}',
      { nofailover: false, noloadbalance: false, clonefrom: true },
      { clonefrom: true, custom: 'x', zone: 1 },
      0,
    ],
    ['{replicatefrom: node2}', { replicatefrom: 'node2' }, { replicatefrom: 'node2' }, 0],
    [
      '{nosync: true, sync_priority: 5}',
      { nosync: true, syncPriority: 0 },
      { nosync: true, sync_priority: 5 },
      1,
    ],
    ['{nosync: true}', { nosync: true, syncPriority: 0 }, { nosync: true }, 0],
    ['{nosync: off}', { nosync: false, syncPriority: 1 }, {}, 0],
    ['{sync_priority: 5}', { nosync: false, syncPriority: 5 }, { sync_priority: 5 }, 0],
    ['{sync_priority: -1}', { nosync: true, syncPriority: -1 }, { sync_priority: -1 }, 0],
    [
      '{nosync: false, sync_priority: 0}',
      { nosync: false, syncPriority: 1 },
      { nosync: false, sync_priority: 0 },
      1,
    ],
  ])('%s', async (tags, meaning, published, warnings) => {
    const settings = (await sourceOf(`${MINIMAL}tags: ${tags}\n`)).current();
    expect(settings.member.tags).toMatchObject(meaning);
    expect(settings.member.tags.published).toEqual(published);
    expect(settings.warnings).toHaveLength(warnings);
  });

  test('of a contradicting pair the boolean wins and the warning says so', async () => {
    const source = await sourceOf(`${MINIMAL}tags: {nofailover: true, failover_priority: 2}\n`);
    expect(source.current().warnings).toEqual([
      'tags: nofailover: true contradicts failover_priority: 2, and nofailover wins; keep one of the two',
    ]);
  });
});

describe('Consul', () => {
  const addresses = async (lines: string): Promise<readonly string[]> => {
    const source = await sourceOf(MINIMAL.replace('host: 127.0.0.1:8500', lines));
    const { consul } = source.services();
    return consul.addresses.map(({ host, port }) => `${consul.scheme} ${host} ${port}`);
  };
  test.each([
    ['scheme: https', ['https 127.0.0.1 8500']],
    ['host: a', ['http a 8500']],
    ['host: a:1,b:2', ['http a 1', 'http b 2']],
    ['host: ["a:1", "[::1]:2", c]\n  port: 3', ['http a 1', 'http ::1 2', 'http c 3']],
    ['url: https://consul.example.org', ['https consul.example.org 8500']],
    ['url: http://[::1]:8501\n  host: ignored', ['http ::1 8501']],
  ])('%j', async (lines, expected) => {
    expect(await addresses(lines)).toEqual(expected);
  });
});

describe('the REST API', () => {
  test('adds the headers of HTTPS only with a certificate', async () => {
    const headers = 'http_extra_headers: {A: 1, B: 1}\n  https_extra_headers: {B: 2}\n';
    const plain = await sourceOf(MINIMAL.replace('restapi:\n', `restapi:\n  ${headers}`));
    expect(plain.services().restapi.extraHeaders).toEqual({ A: '1', B: '1' });
    const secure = await sourceOf(
      MINIMAL.replace('restapi:\n', `restapi:\n  certfile: /c\n  ${headers}`),
    );
    expect(secure.services().restapi.extraHeaders).toEqual({ A: '1', B: '2' });
  });

  test('listens on all addresses with a star, and knows who may do what', async () => {
    const lines =
      'allowlist: [10.0.0.0/8, db1]\n  allowlist_include_members: on\n  server_tokens: Minimal\n';
    const content = MINIMAL.replace('0.0.0.0:8008', '"*:9000"').replace(
      'restapi:\n',
      `restapi:\n  ${lines}`,
    );
    expect((await sourceOf(content)).services().restapi).toMatchObject({
      listenHost: '0.0.0.0',
      listenPort: 9000,
      allowlist: ['10.0.0.0/8', 'db1'],
      allowlistIncludeMembers: true,
      serverTokens: 'minimal',
      verifyClient: 'none',
    });
  });
});

describe('the command line client', () => {
  test('falls back to the settings of the REST API, and takes a certificate whole', async () => {
    const rest = `restapi:\n  authentication: {username: a, password: b}\n  cafile: /ca\n  certfile: /c\n  keyfile: /k\n`;
    const inherited = (await sourceOf(MINIMAL.replace('restapi:\n', rest))).services().ctl;
    expect(inherited).toMatchObject({
      cacert: '/ca',
      certfile: '/c',
      keyfile: '/k',
      insecure: false,
    });
    expect(inherited.authentication?.username).toBe('a');
    const own = `${MINIMAL.replace('restapi:\n', rest)}ctl: {insecure: on, certfile: /own}\n`;
    const { ctl } = (await sourceOf(own)).services();
    expect(ctl).toMatchObject({ certfile: '/own', keyfile: undefined, insecure: true });
  });

  test('needs neither member nor Postgres in its file', async () => {
    const path = writeConfig(
      'scope: main\nconsul: {host: c:1, token: t}\nrestapi: {cafile: /ca}\n',
    );
    const settings = await loadClientSettings({ path, environment: { PATRONI_NAMESPACE: '/x/' } });
    expect(settings.ok && settings.value).toMatchObject({
      scope: 'main',
      namespace: 'x',
      consul: { addresses: [{ host: 'c', port: 1 }] },
      ctl: { cacert: '/ca' },
    });
  });

  test("reads an agent's file as well", async () => {
    const path = writeConfig(`${MINIMAL}bootstrap: {dcs: {ttl: 2}}\n`);
    const settings = await loadClientSettings({ path, environment: {} });
    expect(settings.ok && settings.value.scope).toBe('main');
  });
});
