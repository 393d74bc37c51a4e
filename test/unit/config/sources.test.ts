import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { formatProblem } from '../../../src/config/problem.ts';
import { MINIMAL, load, sourceAt, writeFiles } from './fixtures.ts';

async function problemsAt(path: string): Promise<readonly string[]> {
  const loaded = await loadConfig({ path, environment: {} });
  return loaded.ok ? [] : loaded.error.problems.map(formatProblem);
}

describe('a directory of files', () => {
  test('is read in sorted order: mappings are merged, everything else is replaced', async () => {
    const directory = writeFiles({
      '10-base.yml': MINIMAL,
      '20-more.yaml': 'postgresql: {parameters: {a: 1, b: 1}, pg_hba: [one, two]}\ntags: {x: 1}\n',
      '30-last.yml': 'name: last\npostgresql: {parameters: {b: 2}, pg_hba: [three]}\n',
      'ignored.txt': 'name: ignored\n',
      'ignored.yml.bak': 'name: ignored\n',
    });
    const source = await sourceAt(directory);
    const { member, postgres } = source.current();
    expect(member.name).toBe('last');
    expect(postgres.parameters).toMatchObject({ a: 1, b: 2 });
    expect(postgres.pgHba).toEqual(['three']);
    expect(member.tags.published).toEqual({ x: 1 });
  });

  test('a mistake is named in the file that made it', async () => {
    const directory = writeFiles({ 'a.yml': MINIMAL, 'b.yml': '# second\nname: []\n' });
    expect(await problemsAt(directory)).toEqual([
      `${directory}/b.yml:2:1: name: expected a member name without "/" and blanks, unique in the cluster, found an empty list`,
    ]);
  });

  test('mistakes of syntax are told of all files', async () => {
    const directory = writeFiles({ 'a.yml': 'a: [', 'b.yml': 'b: "' });
    expect(await problemsAt(directory)).toHaveLength(2);
  });

  test('without a single file is refused', async () => {
    const directory = writeFiles({ 'a.txt': MINIMAL });
    expect(await problemsAt(directory)).toEqual([
      `${directory}: the directory holds no *.yml or *.yaml (name a file, or put files ending in .yml or .yaml there)`,
    ]);
  });
});

describe('a file', () => {
  test('that is not there is named, and the environment does not stand in for it', async () => {
    expect(await problemsAt('/nowhere/pgbaton.yml')).toEqual([
      '/nowhere/pgbaton.yml: there is no such file (check the path and its permissions)',
    ]);
  });

  test('that is too long to be a configuration is not read', async () => {
    const directory = writeFiles({ 'a.yml': `# ${'x'.repeat(4 * 1024 * 1024)}\n` });
    expect((await problemsAt(join(directory, 'a.yml')))[0]).toContain('longer than 4194304 bytes');
  });

  test('of the wrong kind is named', async () => {
    const directory = writeFiles({});
    mkdirSync(join(directory, 'a.yml'));
    chmodSync(join(directory, 'a.yml'), 0o700);
    expect((await problemsAt(directory))[0]).toContain('it is a directory');
  });

  test('with nothing in it misses everything that must be there', async () => {
    const keys = (await problemsAt(join(writeFiles({ 'a.yml': '\n' }), 'a.yml'))).length;
    expect(keys).toBe(5);
  });
});

describe('YAML is read as Patroni reads it', () => {
  test('on, off, yes and no are booleans, and 0644 is octal', async () => {
    const { config } = await load(
      `${MINIMAL}log: {mode: 0644, deduplicate_heartbeat_logs: yes}\ntags: {nofailover: off, x: on}\n`,
    );
    expect(config.log).toEqual({ mode: 0o644, deduplicate_heartbeat_logs: true });
    expect(config.tags).toEqual({ nofailover: false, x: true });
  });

  test('anchors and merge keys work', async () => {
    const { config } = await load(
      `${MINIMAL}log: &log {level: error}\nctl: {insecure: on}\nwatchdog: {mode: off}\nrestapi_: &r {a: 1}\ntags: {<<: *r, b: 2}\n`,
    );
    expect(config.tags).toEqual({ a: 1, b: 2 });
  });

  test('a time is text and not a number of base 60', async () => {
    const { config } = await load(`${MINIMAL}tags: {window: 22:30, day: 2026-01-01}\n`);
    expect(config.tags).toEqual({ window: '22:30', day: '2026-01-01' });
  });

  test('a password of digits is text, however long', async () => {
    const { config } = await load(
      MINIMAL.replace('super-word', '12345678901234567890').replace('repl-word', '4711'),
    );
    const { superuser, replication } = config.postgresql.authentication;
    expect(superuser.password?.reveal()).toBe('12345678901234567890');
    expect(replication.password?.reveal()).toBe('4711');
  });

  test('a key named __proto__ changes nothing', async () => {
    const { warnings } = await load(`${MINIMAL}__proto__: {polluted: 1}\n`);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(warnings.map(({ key }) => key)).toEqual(['__proto__']);
  });
});
