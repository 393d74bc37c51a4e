import { describe, afterEach, beforeEach, expect, test } from 'vitest';
import { EXIT_CODES } from '../../../src/cli/exit-codes.ts';
import { Bench } from './bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.stop());

const COMMANDS = [
  'agent',
  'list',
  'topology',
  'explain',
  'switchover',
  'failover',
  'pause',
  'resume',
  'history',
  'dsn',
  'show-config',
  'edit-config',
  'restart',
  'reload',
  'reinit',
  'validate',
  'version',
];

describe('help', () => {
  test('of the program lists all commands and the exit codes', async () => {
    const { code, out } = await bench.run(['--help']);
    expect(code).toBe(0);
    for (const command of COMMANDS) expect(out).toContain(`  ${command} `);
    for (const { meaning } of EXIT_CODES) expect(out).toContain(meaning);
  });

  test.each(COMMANDS)('of %s has examples', async (command) => {
    const { code, out } = await bench.run([command, '--help']);
    expect(code).toBe(0);
    expect(out).toContain(`$ pgbaton ${command}`);
  });

  test('is shown on stderr when there is no command, as a usage error', async () => {
    const { code, out, err } = await bench.run([], { bare: true });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('Usage: pgbaton');
  });
});

describe('usage errors', () => {
  test.each([
    [['lits'], 'unknown command', 'Did you mean "list"?'],
    [['reume'], 'unknown command', 'Did you mean "resume"? See "pgbaton --help".'],
    [['remote'], 'unknown command', 'Did you mean one of reload, resume?'],
    [['frob', 'demo', 'restart'], 'unknown command', 'See "pgbaton --help".'],
    [['flush', 'demo', 'switchover'], 'no command "flush"', 'schedule nothing'],
    [['remove', 'demo'], 'no command "remove"', 'consul kv delete -recurse'],
    [['query', '-c', 'select 1'], 'no command "query"', 'psql "$(pgbaton dsn)'],
    [['demote-cluster'], 'no command "demote-cluster"', 'Standby clusters'],
    [['promote-cluster'], 'no command "promote-cluster"', 'Standby clusters'],
    [['list', '--extendd'], 'unknown option', 'Did you mean "--extended"?'],
    [['list', '--nonsense'], 'unknown option', 'See "pgbaton list --help".'],
    [['restart', 'demo', '--role', 'boss'], 'Allowed choices', 'pgbaton restart --help'],
    [['restart', 'demo', '--timeout', '-5'], 'number of seconds', 'pgbaton restart --help'],
    [['switchover', '--candidate'], 'argument missing', 'pgbaton switchover --help'],
    [['list', 'demo', '--format', 'xml'], 'no format "xml"', 'pretty, tsv, json, yaml'],
    [['version', '--format', 'xml'], 'no format "xml"', 'pretty, tsv, json, yaml'],
  ])('%j exits 2 with a hint', async (argv, message, hint) => {
    const { code, out, err } = await bench.run(argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^Error: .*\nHint: .*\n$/);
    expect(err).toContain(message);
    expect(err).toContain(hint);
  });
});

describe('version', () => {
  test('is that of the program without arguments', async () => {
    expect((await bench.run(['version'])).out).toMatch(/^pgbaton version \d+\.\d+\.\d+\n$/);
    expect((await bench.run(['--version'])).out).toMatch(/^pgbaton version \d+\.\d+\.\d+\n$/);
    const { out } = await bench.run(['version', '-f', 'json']);
    expect(JSON.parse(out)).toEqual([{ Version: expect.stringMatching(/^\d/) as unknown }]);
  });

  test('of a cluster tells agent and server, and who did not answer', async () => {
    const patroni = { version: '4.1.4', scope: 'demo', name: 'node1' };
    bench.member('node1').on('GET /patroni', 200, {
      state: 'running',
      role: 'primary',
      server_version: 150020,
      patroni,
    });
    bench.member('node2').on('GET /patroni', 200, { state: 'running', role: 'replica', patroni });
    bench.member('node3').on('GET /patroni', 200, 'no json');
    const { code, out, err } = await bench.run(['version', 'demo']);
    expect(code).toBe(3);
    expect(out).toMatch(
      /\n\nnode1: Patroni 4\.1\.4 PostgreSQL 15\.20\nnode2: Patroni 4\.1\.4 PostgreSQL unknown\n$/,
    );
    expect(err).toContain('Failed: node3');
    expect(err).toContain('Error: 1 of 3 members did not tell their version.');
  });
});

describe('agent', () => {
  test('gets its configuration file, and its exit code becomes ours', async () => {
    const seen: string[][] = [];
    const runAgent = (argv: string[]): Promise<number> => {
      seen.push(argv);
      return Promise.resolve(7);
    };
    expect((await bench.run(['agent', '/etc/x.yml'], { runAgent, bare: true })).code).toBe(7);
    await bench.run(['agent', '-c', '/etc/y.yml'], { runAgent, bare: true });
    await bench.run(['agent'], {
      runAgent,
      bare: true,
      env: { PGBATON_CONFIG_FILE: '/etc/z.yml' },
    });
    await bench.run(['agent'], { runAgent, bare: true });
    expect(seen).toEqual([['/etc/x.yml'], ['/etc/y.yml'], ['/etc/z.yml'], []]);
  });
});

describe('history and show-config', () => {
  beforeEach(() => {
    bench.consul.set('demo/history', [
      [1, 25623960, 'no recovery target specified', '2026-01-31T12:00:00+00:00', 'node2'],
      [2, 50331648, 'no recovery target specified'],
    ]);
  });

  test('history is the table of patronictl', async () => {
    const { out } = await bench.run(['history', 'demo']);
    expect(`\n${out}`).toMatchInlineSnapshot(`
      "
      +----+----------+------------------------------+---------------------------+------------+
      | TL |      LSN | Reason                       | Timestamp                 | New Leader |
      +----+----------+------------------------------+---------------------------+------------+
      |  1 | 25623960 | no recovery target specified | 2026-01-31T12:00:00+00:00 | node2      |
      |  2 | 50331648 | no recovery target specified |                           |            |
      +----+----------+------------------------------+---------------------------+------------+
      "
    `);
  });

  test('history for programs', async () => {
    const { out } = await bench.run(['history', 'demo', '-f', 'json']);
    expect(JSON.parse(out)).toMatchInlineSnapshot(`
      [
        {
          "LSN": 25623960,
          "New Leader": "node2",
          "Reason": "no recovery target specified",
          "TL": 1,
          "Timestamp": "2026-01-31T12:00:00+00:00",
        },
        {
          "LSN": 50331648,
          "Reason": "no recovery target specified",
          "TL": 2,
        },
      ]
    `);
  });

  test('an empty history is an empty table', async () => {
    bench.consul.keys.delete('service/demo/history');
    expect((await bench.run(['history', 'demo', '-f', 'json'])).out).toBe('[]\n');
    expect((await bench.run(['history', 'demo'])).code).toBe(0);
  });

  test('show-config is YAML with sorted keys, or JSON', async () => {
    bench.consul.set('demo/config', {
      ttl: 30,
      postgresql: { parameters: { wal_log_hints: 'on', a: null } },
      loop_wait: 10,
    });
    expect(`\n${(await bench.run(['show-config', 'demo'])).out}`).toMatchInlineSnapshot(`
      "
      loop_wait: 10
      postgresql:
        parameters:
          a: null
          wal_log_hints: 'on'
      ttl: 30
      "
    `);
    const { out } = await bench.run(['show-config', 'demo', '-f', 'json']);
    expect(JSON.parse(out)).toHaveProperty('ttl', 30);
  });

  test('a cluster without configuration says so', async () => {
    bench.consul.keys.delete('service/demo/config');
    const { code, err } = await bench.run(['show-config', 'demo']);
    expect(code).toBe(3);
    expect(err).toContain('no dynamic configuration yet');
  });
});

describe('validate', () => {
  test('names what is wrong and exits 1', async () => {
    const { code, out, err } = await bench.run(['validate', '--no-network'], {
      bare: true,
      env: { PGBATON_CONFIGURATION: 'scoop: demo\nname: a\n' },
    });
    expect(code).toBe(1);
    expect(out).toContain('scope');
    expect(err).toMatch(/^Error: The configuration has \d+ errors\.\nHint: /);
  });

  test('gives programs a row for each finding', async () => {
    const { out } = await bench.run(['validate', '-f', 'json', '/nonexistent.yml'], { bare: true });
    expect(JSON.parse(out)).toEqual([
      expect.objectContaining({ Severity: 'error', Code: 'config-unreadable' }),
    ]);
  });
});
