import { describe, expect, test } from 'vitest';
import { MINIMAL, problemsOf, rawProblemsOf, warningsOf } from './fixtures.ts';

describe('a mistake of syntax is named with its line and column', () => {
  test.each([
    [
      'a tab',
      `${MINIMAL}tags:\n\tnofailover: true\n`,
      'pgbaton.yml:20:1: a tab is used for indentation (indent with blanks)',
    ],
    [
      'a key that stands twice',
      `${MINIMAL}scope: other\n`,
      'pgbaton.yml:19:1: this key stands twice in the same mapping (remove one of the two)',
    ],
    [
      'an open bracket',
      `${MINIMAL}tags: [1, 2\n`,
      'pgbaton.yml:20:1: this line is not indented like its neighbours, or a bracket before it is still open (align it with the lines around it, or close the bracket)',
    ],
    [
      'an open quote',
      `${MINIMAL}tags: "x\n`,
      'pgbaton.yml:20:1: a quote, bracket, comma or colon is missing (close what was opened before here)',
    ],
    [
      'a reserved character',
      `${MINIMAL}tags: @x\n`,
      'pgbaton.yml:19:7: a plain value cannot begin with this character (put the value in quotes)',
    ],
    [
      'a missing anchor',
      `${MINIMAL}tags: *x\n`,
      'pgbaton.yml:19:7: this alias has no anchor before it (put a value that begins with "*" in quotes)',
    ],
    [
      'a second document',
      `${MINIMAL}---\na: 1\n`,
      'pgbaton.yml:19:1: the file holds several documents (keep one; remove the "---" within)',
    ],
    [
      'text instead of settings',
      'just words\n',
      'pgbaton.yml:1:1: expected a mapping of settings, found something else (begin with "scope: <name of the cluster>")',
    ],
  ])('%s', async (_name, content, expected) => {
    expect(await problemsOf(content)).toContain(expected);
  });

  test('a bomb of aliases is refused, and quickly', async () => {
    const doubled = ['a: &a0 [x, x]'];
    for (let n = 1; n < 30; n += 1) doubled.push(`b${n}: &a${n} [*a${n - 1}, *a${n - 1}]`);
    expect(await problemsOf(`${doubled.join('\n')}\n`)).toEqual([
      'pgbaton.yml:1:1: aliases of this file refer to too much (write the values out)',
    ]);
  });
});

describe('a wrong value is named with place, key, what was expected and what was found', () => {
  const changed = (from: string, to: string): string => {
    expect(MINIMAL).toContain(from);
    return MINIMAL.replace(from, to);
  };
  test.each([
    [
      'listen: 0.0.0.0:8008',
      'listen: nowhere:x',
      'pgbaton.yml:4:3: restapi.listen: expected host:port to listen on, such as 0.0.0.0:8008, found "nowhere:x"',
    ],
    [
      'listen: 0.0.0.0:8008',
      'listen: a,b:8008',
      'pgbaton.yml:4:3: restapi.listen: expected host:port to listen on, such as 0.0.0.0:8008, found "a,b:8008"',
    ],
    [
      'connect_address: 10.0.0.1:5432',
      'connect_address: 0.0.0.0:5432',
      'pgbaton.yml:10:3: postgresql.connect_address: expected host:port that the other members reach, such as 10.0.0.1:5432, found "0.0.0.0:5432"',
    ],
    [
      'data_dir: /data',
      'data_dir: [a]',
      'pgbaton.yml:11:3: postgresql.data_dir: expected a path, found a list',
    ],
    [
      'name: node1',
      'name: a/b',
      'pgbaton.yml:2:1: name: expected a member name without "/" and blanks, unique in the cluster, found "a/b"',
    ],
    [
      'name: node1',
      'name: yes',
      'pgbaton.yml:2:1: name: expected a member name without "/" and blanks, unique in the cluster, found true',
    ],
    [
      'host: 127.0.0.1:8500',
      'host: "a b"',
      'pgbaton.yml:7:3: consul.host: expected host:port of Consul, or a list of them, found "a b"',
    ],
    [
      'host: 127.0.0.1:8500',
      'url: ftp://x',
      'pgbaton.yml:7:3: consul.url: expected an address such as http://127.0.0.1:8500, without user and password, found "ftp://x"',
    ],
    [
      '  host: 127.0.0.1:8500',
      '  port: 70000',
      'pgbaton.yml:7:3: consul.port: expected a whole number from 1 to 65535, found 70000',
    ],
    ['restapi:\n', 'restapi: 5\nother:\n', 'pgbaton.yml:3:1: restapi: expected a mapping, found 5'],
  ])('%j as %j', async (from, to, expected) => {
    expect(await problemsOf(changed(from, to))).toContain(expected);
  });

  test('a word that YAML takes for a boolean gets a hint to quote it', async () => {
    const problems = await rawProblemsOf(`${MINIMAL}citus: {group: 0, database: on}\n`);
    expect(problems[0]?.suggestion).toBe('YAML reads this word as a boolean: put it in quotes');
  });
});

describe('what is missing is named with the line to write', () => {
  test.each([
    ['scope: main\n', 'add "scope: main", the same on all members of the cluster'],
    ['name: node1\n', 'add "name: node1", different on every member'],
    ['  data_dir: /data\n', 'add "data_dir: /var/lib/postgresql/data" under postgresql'],
    [
      'consul:\n  host: 127.0.0.1:8500\n',
      'add "consul:" with "host: 127.0.0.1:8500"; pgbaton works with Consul only',
    ],
    ['      username: replicator\n', 'add "username:"'],
  ])('%j', async (removed, suggestion) => {
    const problems = await rawProblemsOf(MINIMAL.replace(removed, ''));
    expect(problems.map((problem) => problem.suggestion)).toEqual([suggestion]);
    expect(problems[0]?.code).toBe('config-missing-key');
  });

  test('a misspelt mandatory key is shown where it stands', async () => {
    expect(await problemsOf(MINIMAL.replace('scope:', 'scoep:'))).toEqual([
      'pgbaton.yml:1:1: scope: missing: expected a cluster name without "/" and blanks ("scoep" stands here: did you mean "scope"?)',
    ]);
  });

  test('a key without a value is missing', async () => {
    expect(await problemsOf(MINIMAL.replace('data_dir: /data', 'data_dir:'))).toEqual([
      'pgbaton.yml:11:3: postgresql.data_dir: missing: expected a path (add "data_dir: /var/lib/postgresql/data" under postgresql)',
    ]);
  });
});

test('all mistakes are told at once', async () => {
  const content = `${MINIMAL.replace('scope: main\n', '').replace('/data', '[]')}tags: {nofailover: x}
bootstrap: {method: other, initdb: [{pgdata: x}], dcs: {ttl: soon}}
`;
  expect((await rawProblemsOf(content)).map(({ key }) => key).sort()).toEqual([
    'bootstrap.dcs.ttl',
    'bootstrap.initdb',
    'bootstrap.method',
    'postgresql.data_dir',
    'scope',
    'tags.nofailover',
  ]);
});

describe('settings that contradict each other are refused', () => {
  test.each([
    [
      'bootstrap: {method: pitr}\n',
      'bootstrap.method',
      'names "pitr", and there is no section bootstrap.pitr',
    ],
    [
      'bootstrap: {method: pitr, pitr: {no_params: true}}\n',
      'bootstrap.pitr.command',
      'missing: expected a command',
    ],
    ['ctl: {keyfile: /k}\n', 'ctl.keyfile', 'has no effect without ctl.certfile'],
  ])('%j', async (added, key, message) => {
    const problems = await rawProblemsOf(MINIMAL + added);
    expect(problems.map((problem) => [problem.key, problem.message])).toEqual([[key, message]]);
  });

  test('client certificates without an authority to check them', async () => {
    const content = MINIMAL.replace('restapi:\n', 'restapi:\n  verify_client: required\n');
    expect((await rawProblemsOf(content)).map(({ suggestion }) => suggestion)).toEqual([
      'set restapi.certfile',
      'set restapi.cafile',
    ]);
  });
});

describe('a key that nobody reads is a warning with the key that was meant', () => {
  test.each([
    ['tagz: {}\n', 'pgbaton.yml:19:1: tagz: unknown key, it has no effect (did you mean "tags"?)'],
    [
      'log: {levle: info}\n',
      'pgbaton.yml:19:7: log.levle: unknown key, it has no effect (did you mean "level"?)',
    ],
    [
      'data_dir: /x\n',
      'pgbaton.yml:19:1: data_dir: unknown key, it has no effect (did you mean "postgresql.data_dir"?)',
    ],
    ['foo: 1\n', 'pgbaton.yml:19:1: foo: unknown key, it has no effect'],
    [
      'ttl: 30\n',
      'pgbaton.yml:19:1: ttl: has no effect here: it is the same on all members and belongs to the dynamic configuration (use pgbaton edit-config; for a new cluster write it under bootstrap.dcs)',
    ],
    [
      'bootstrap: {users: {a: 1}}\n',
      'pgbaton.yml:19:13: bootstrap.users: unknown key, it has no effect',
    ],
    [
      'bootstrap: {dcs: {postgresql: {use_slotz: on}}}\n',
      'pgbaton.yml:19:32: bootstrap.dcs.postgresql.use_slotz: unknown key, it has no effect (did you mean "use_slots"?)',
    ],
    [
      'bootstrap: {dcs: {postgresql: {data_dir: /x}}}\n',
      'pgbaton.yml:19:32: bootstrap.dcs.postgresql.data_dir: has no effect in the dynamic configuration: it names one host (set postgresql.data_dir in the local configuration of each member)',
    ],
  ])('%j', async (added, expected) => {
    expect(await warningsOf(MINIMAL + added)).toEqual([expected]);
  });

  test('a section with a command is a method of the operator, not a slip', async () => {
    const content = `${MINIMAL}  create_replica_methods: [backrest, basebackup]
  backrest: {command: /usr/bin/pgbackrest restore, keep_data: on, delta: true}
bootstrap:
  method: pitr
  pitr: {command: /usr/bin/pitr, no_params: off}
`;
    expect(await warningsOf(content)).toEqual([]);
  });
});
