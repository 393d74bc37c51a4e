import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bench } from './bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.stop());

describe('list for people', () => {
  test('shows the table of patronictl', async () => {
    const { code, out, err } = await bench.run(['list', 'demo']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(`\n${out}`).toMatchInlineSnapshot(`
      "
      + Cluster: demo (7710733172458067259) ----+----+-------------+-----+------------+-----+------------------+
      | Member | Host     | Role    | State     | TL | Receive LSN | Lag | Replay LSN | Lag | Tags             |
      +--------+----------+---------+-----------+----+-------------+-----+------------+-----+------------------+
      | node1  | 10.0.0.1 | Leader  | running   |  2 |             |     |            |     |                  |
      | node2  | 10.0.0.2 | Replica | streaming |  2 |   0/6400000 |   0 |  0/6400000 |   0 |                  |
      | node3  | 10.0.0.3 | Replica | streaming |  2 |   0/6400000 |   0 |  0/4600000 |  30 | nofailover: true |
      +--------+----------+---------+-----------+----+-------------+-----+------------+-----+------------------+
      "
    `);
  });

  test('shows ports when members share a host, and no positions for an unknown one', async () => {
    bench.consul.set('demo/members/node2', {
      conn_url: 'postgres://10.0.0.1:5433/postgres',
      api_url: 'http://127.0.0.1:1/patroni',
      state: 'stopped',
      role: 'replica',
      version: '0.1.0',
    });
    const { out } = await bench.run(['list', 'demo']);
    expect(`\n${out}`).toMatchInlineSnapshot(`
      "
      + Cluster: demo (7710733172458067259) ---------+----+-------------+---------+------------+---------+------------------+
      | Member | Host          | Role    | State     | TL | Receive LSN |     Lag | Replay LSN |     Lag | Tags             |
      +--------+---------------+---------+-----------+----+-------------+---------+------------+---------+------------------+
      | node1  | 10.0.0.1:5432 | Leader  | running   |  2 |             |         |            |         |                  |
      | node2  | 10.0.0.1:5433 | Replica | stopped   |    |     unknown | unknown |    unknown | unknown |                  |
      | node3  | 10.0.0.3:5432 | Replica | streaming |  2 |   0/6400000 |       0 |  0/4600000 |      30 | nofailover: true |
      +--------+---------------+---------+-----------+----+-------------+---------+------------+---------+------------------+
      "
    `);
  });

  test('shows pending restarts with their reason, hidden when long, and maintenance mode', async () => {
    bench.publish('node2', 2, {
      pending_restart: true,
      pending_restart_reason: {
        max_connections: { old_value: '100', new_value: '200' },
        shared_preload_libraries: { old_value: 'a'.repeat(30), new_value: 'b'.repeat(30) },
      },
    });
    bench.consul.set('demo/config', { pause: true });
    bench.consul.set('demo/failover', {
      leader: 'node1',
      member: 'node2',
      scheduled_at: '2030-01-01T00:00:00+00:00',
    });
    const { out } = await bench.run(['list', 'demo']);
    expect(`\n${out}`).toMatchInlineSnapshot(`
      "
      + Cluster: demo (7710733172458067259) ----+----+-------------+---------+------------+---------+-----------------+-----------------------------------------------+------------------+
      | Member | Host     | Role    | State     | TL | Receive LSN |     Lag | Replay LSN |     Lag | Pending restart | Pending restart reason                        | Tags             |
      +--------+----------+---------+-----------+----+-------------+---------+------------+---------+-----------------+-----------------------------------------------+------------------+
      | node1  | 10.0.0.1 | Leader  | running   |  2 |             |         |            |         |                 |                                               |                  |
      +--------+----------+---------+-----------+----+-------------+---------+------------+---------+-----------------+-----------------------------------------------+------------------+
      | node2  | 10.0.0.2 | Replica | streaming |  2 |     unknown | unknown |    unknown | unknown | *               | max_connections: 100->200                     |                  |
      |        |          |         |           |    |             |         |            |         |                 | shared_preload_libraries: [hidden - too long] |                  |
      +--------+----------+---------+-----------+----+-------------+---------+------------+---------+-----------------+-----------------------------------------------+------------------+
      | node3  | 10.0.0.3 | Replica | streaming |  2 |   0/6400000 |       0 |  0/4600000 |      30 |                 |                                               | nofailover: true |
      +--------+----------+---------+-----------+----+-------------+---------+------------+---------+-----------------+-----------------------------------------------+------------------+
       Maintenance mode: on
       Switchover scheduled at: 2030-01-01T00:00:00+00:00
                          from: node1
                            to: node2
       An agent of Patroni carries it out, and none of pgbaton.
      "
    `);
  });

  test('hides nothing on a terminal that does not know its size', async () => {
    const { out } = await bench.run(['list', 'demo', '--no-color'], { columns: 0 });
    expect(out).toContain('Replay LSN');
    expect(out).not.toContain('Not shown');
  });

  test.each([
    ['a synchronous standby', { synchronous_mode: true }, 'Sync Standby'],
    ['a quorum standby', { synchronous_mode: 'quorum' }, 'Quorum Standby'],
    ['a standby leader', { standby_cluster: { host: '10.1.1.1' } }, 'Standby Leader'],
  ])('names %s', async (_, config, role) => {
    bench.consul.set('demo/config', config);
    bench.consul.set('demo/sync', { leader: 'node1', sync_standby: 'node2', quorum: 0 });
    expect((await bench.run(['list', 'demo'])).out).toContain(`| ${role} `);
  });

  test('says that nobody leads, and that a cluster is not initialised', async () => {
    bench.consul.keys.delete('service/demo/leader');
    bench.consul.keys.delete('service/demo/initialize');
    const { out, code } = await bench.run(['list', 'demo']);
    expect(code).toBe(0);
    expect(out).toContain('+ Cluster: demo (uninitialized) -');
    expect(out).toContain('No leader: "pgbaton explain" tells why.');
  });

  test('warns of a key that nobody can read', async () => {
    bench.consul.set('demo/status', 'not json');
    const { err, out } = await bench.run(['list', 'demo']);
    expect(err).toMatch(/^Warning: unreadable in Consul: status \(/);
    expect(out).toContain('| node1 ');
  });

  test('is coloured on a terminal, and not with --no-color, NO_COLOR or in a pipe', async () => {
    const escape = '\u001B[';
    expect((await bench.run(['list', 'demo'], { columns: 120 })).out).toContain(escape);
    expect((await bench.run(['--no-color', 'list', 'demo'], { columns: 120 })).out).not.toContain(
      escape,
    );
    expect(
      (await bench.run(['list', 'demo'], { columns: 120, env: { NO_COLOR: '1' } })).out,
    ).not.toContain(escape);
    expect((await bench.run(['list', 'demo'])).out).not.toContain(escape);
  });

  test.each([60, 70, 80, 90, 120])(
    'fits a terminal of %i columns and says what is missing',
    async (columns) => {
      const { out } = await bench.run(['list', 'demo', '--no-color'], { columns });
      const lines = out.trimEnd().split('\n');
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      expect(out).toContain('Member');
      expect(out.includes('Not shown in this narrow terminal')).toBe(columns < 120);
    },
  );

  test('lets no member steer the terminal', async () => {
    bench.publish('node2', 2, { state: '\u001B[2Jrunning\u0007', replication_state: undefined });
    const { out } = await bench.run(['list', 'demo']);
    for (const control of ['\u001B', '\u0007']) expect(out).not.toContain(control);
  });

  test('prints the time above the table with -t', async () => {
    expect((await bench.run(['list', 'demo', '-t'])).out).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n\+/,
    );
  });
});

describe('topology', () => {
  test('shows who replicates from whom', async () => {
    bench.publish('node3', 3, { tags: { replicatefrom: 'node2' } });
    const { out } = await bench.run(['topology', 'demo']);
    expect(`\n${out}`).toMatchInlineSnapshot(`
      "
      + Cluster: demo (7710733172458067259) -------+----+-------------+---------+------------+---------+------------------------+
      | Member    | Host     | Role    | State     | TL | Receive LSN |     Lag | Replay LSN |     Lag | Tags                   |
      +-----------+----------+---------+-----------+----+-------------+---------+------------+---------+------------------------+
      | node1     | 10.0.0.1 | Leader  | running   |  2 |             |         |            |         |                        |
      | + node2   | 10.0.0.2 | Replica | streaming |  2 |   0/6400000 |       0 |  0/6400000 |       0 |                        |
      |   + node3 | 10.0.0.3 | Replica | streaming |  2 |     unknown | unknown |    unknown | unknown | {replicatefrom: node2} |
      +-----------+----------+---------+-----------+----+-------------+---------+------------+---------+------------------------+
      "
    `);
  });

  test('keeps members whose tags form a circle', async () => {
    bench.publish('node2', 2, { tags: { replicatefrom: 'node3' } });
    bench.publish('node3', 3, { tags: { replicatefrom: 'node2' } });
    const { out } = await bench.run(['topology', 'demo']);
    expect(out).toContain('+ node2');
    expect(out).toContain('+ node3');
  });
});

describe('list for programs', () => {
  test('json has the keys of patronictl, without empty ones', async () => {
    const { out } = await bench.run(['list', 'demo', '--format', 'json']);
    expect(JSON.parse(out)).toMatchInlineSnapshot(`
      [
        {
          "Cluster": "demo",
          "Host": "10.0.0.1",
          "Member": "node1",
          "Role": "Leader",
          "State": "running",
          "TL": 2,
        },
        {
          "Cluster": "demo",
          "Host": "10.0.0.2",
          "Member": "node2",
          "Receive LSN": "0/6400000",
          "Receive Lag": 0,
          "Replay LSN": "0/6400000",
          "Replay Lag": 0,
          "Role": "Replica",
          "State": "streaming",
          "TL": 2,
        },
        {
          "Cluster": "demo",
          "Host": "10.0.0.3",
          "Member": "node3",
          "Receive LSN": "0/6400000",
          "Receive Lag": 0,
          "Replay LSN": "0/4600000",
          "Replay Lag": 30,
          "Role": "Replica",
          "State": "streaming",
          "TL": 2,
          "Tags": {
            "nofailover": true,
          },
        },
      ]
    `);
  });

  test('yaml', async () => {
    const { out } = await bench.run(['-f', 'yml', 'list', 'demo']);
    expect(`\n${out}`).toMatchInlineSnapshot(`
      "
      - Cluster: demo
        Host: 10.0.0.1
        Member: node1
        Role: Leader
        State: running
        TL: 2
      - Cluster: demo
        Host: 10.0.0.2
        Member: node2
        Receive LSN: 0/6400000
        Receive Lag: 0
        Replay LSN: 0/6400000
        Replay Lag: 0
        Role: Replica
        State: streaming
        TL: 2
      - Cluster: demo
        Host: 10.0.0.3
        Member: node3
        Receive LSN: 0/6400000
        Receive Lag: 0
        Replay LSN: 0/4600000
        Replay Lag: 30
        Role: Replica
        State: streaming
        TL: 2
        Tags:
          nofailover: true
      "
    `);
  });

  test('tsv has a line of titles and a column for every value', async () => {
    bench.publish('node2', 2, { state: 'odd\tstate', replication_state: undefined });
    const { out } = await bench.run(['list', 'demo', '-f', 'tsv', '-e']);
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
    expect(lines).toMatchInlineSnapshot(`
      [
        [
          "Cluster",
          "Member",
          "Host",
          "Role",
          "State",
          "TL",
          "Receive LSN",
          "Receive Lag",
          "Replay LSN",
          "Replay Lag",
          "Pending restart",
          "Pending restart reason",
          "Scheduled restart",
          "Tags",
        ],
        [
          "demo",
          "node1",
          "10.0.0.1",
          "Leader",
          "running",
          "2",
          "",
          "",
          "",
          "",
          "",
          "",
          "",
          "",
        ],
        [
          "demo",
          "node2",
          "10.0.0.2",
          "Replica",
          "odd state",
          "2",
          "unknown",
          "unknown",
          "unknown",
          "unknown",
          "",
          "",
          "",
          "",
        ],
        [
          "demo",
          "node3",
          "10.0.0.3",
          "Replica",
          "streaming",
          "2",
          "0/6400000",
          "0",
          "0/4600000",
          "30",
          "",
          "",
          "",
          "{nofailover: true}",
        ],
      ]
    `);
  });

  test('several clusters are one document', async () => {
    bench.consul.set('other/members/a', {
      conn_url: 'postgres://h:1/p',
      api_url: '',
      state: 'running',
      role: 'replica',
      version: '',
    });
    const { out } = await bench.run(['list', 'demo', 'other', '-f', 'json']);
    const rows = JSON.parse(out) as { Cluster: string }[];
    expect(rows.map((row) => row.Cluster)).toEqual(['demo', 'demo', 'demo', 'other']);
  });
});

describe('what list asks of Consul', () => {
  test('is only consistent reads', async () => {
    await bench.run(['list', 'demo']);
    await bench.run(['topology', 'demo']);
    for (const { method, url } of bench.consul.requests) {
      expect(method).toBe('GET');
      expect(url).toMatch(/^\/v1\/kv\/.*[?&]consistent=/);
    }
  });
});
