import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ABSENT, EMPTY_CLUSTER } from '../../../src/core/cluster.ts';
import type { ClusterRecord, SyncKey } from '../../../src/core/cluster.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { synchronousMode } from '../../../src/cli/members.ts';
import { synchronousNotes } from '../../../src/cli/synchronous-notes.ts';
import { describeSynchronous, isAsynchronousCandidate } from '../../../src/cli/synchronous.ts';
import { Bench } from './bench.ts';

const present = <T>(value: T) => ({ kind: 'present' as const, index: 1, value });

function recordWith(config: JsonObject, sync: Partial<SyncKey> | undefined): ClusterRecord {
  const key = { leader: 'pg1', standbys: [], quorum: 0, version: 1, ...sync };
  return {
    ...EMPTY_CLUSTER,
    config: present(config),
    sync: sync === undefined ? ABSENT : present(key),
  };
}

describe('the synchronous set in words', () => {
  test.each<[string, JsonObject, Partial<SyncKey> | undefined, string | undefined]>([
    ['asynchronous', {}, undefined, undefined],
    ['a key without a leader promises nothing', {}, { leader: undefined }, undefined],
    [
      'asked for',
      { synchronous_mode: 'on' },
      undefined,
      'asked for and not in effect yet: the leader acknowledges commits alone',
    ],
    [
      'one',
      { synchronous_mode: true },
      { standbys: ['pg2'] },
      'pg2 has every commit that was acknowledged',
    ],
    [
      'two',
      { synchronous_mode: true },
      { standbys: ['pg3', 'pg2'] },
      'pg2, pg3 have every commit that was acknowledged',
    ],
    [
      'a quorum',
      { synchronous_mode: 'quorum' },
      { standbys: ['pg2', 'pg3', 'pg4'], quorum: 2 },
      'every acknowledged commit is on 1 of pg2, pg3, pg4; a promotion needs 3 of them to answer',
    ],
    [
      'nobody',
      { synchronous_mode: 'on' },
      {},
      'no standby: only pg1 may lead again by itself; "pgbaton failover" makes another member the leader and may lose commits',
    ],
    [
      'switched off',
      { synchronous_mode: 'off' },
      { standbys: ['pg2'] },
      'pg2 has every commit that was acknowledged; it is being switched off',
    ],
  ])('%s', (_title, config, sync, text) => {
    expect(describeSynchronous(recordWith(config, sync))).toBe(text);
  });

  test('an unreadable key is said to be one', () => {
    const sync = { kind: 'garbled' as const, index: 1, reason: 'no JSON' };
    expect(describeSynchronous({ ...EMPTY_CLUSTER, sync })).toMatch(/no JSON.*nobody knows/);
  });

  test.each<[unknown, string]>([
    [undefined, 'off'],
    [true, 'on'],
    ['on', 'on'],
    ['Quorum', 'quorum'],
    [false, 'off'],
    ['nonsense', 'off'],
  ])('synchronous_mode %s means %s', (value, mode) => {
    expect(synchronousMode({ synchronous_mode: value } as JsonObject)).toBe(mode);
  });

  test('a failover loses nothing certain only to who is listed or led when the list was made', () => {
    const record = recordWith({}, { standbys: ['pg2'] });
    const risky = (name: string) => isAsynchronousCandidate(record, name);
    expect(['pg1', 'pg2', 'PG2', 'pg3'].map(risky)).toEqual([false, false, false, true]);
    expect(isAsynchronousCandidate(recordWith({}, undefined), 'pg3')).toBe(false);
  });
});

describe('what a change of the synchronous keys means', () => {
  const STRICT = 'Strict: while no standby is there, commits wait and the cluster does not write.';
  const LOOSE = expect.stringContaining('Not strict: while no standby is there') as string;
  const ALONE = 'The leader will acknowledge commits alone: a failover may lose the last ones.';

  test.each<[JsonObject, JsonObject, number, readonly string[]]>([
    [{ ttl: 3 }, { ttl: 4 }, 2, []],
    [{ synchronous_mode: 'on' }, { synchronous_mode: 'on', ttl: 4 }, 2, []],
    [
      {},
      { synchronous_mode: 'on' },
      2,
      [expect.stringMatching(/wait for 1 standby .*Sync Standby/) as string, LOOSE],
    ],
    [
      {},
      { synchronous_mode: 'quorum', synchronous_mode_strict: true, synchronous_node_count: 2 },
      2,
      [expect.stringMatching(/any 2 of the standbys.*Quorum Standby/) as string, STRICT],
    ],
    [
      { synchronous_mode: 'on' },
      { synchronous_mode: 'on', synchronous_node_count: 3 },
      1,
      [
        expect.stringContaining('wait for 3 standbys') as string,
        'Only 1 standby can be synchronous now, so that is as many as commits wait for.',
        LOOSE,
      ],
    ],
    [{ synchronous_mode: 'on' }, {}, 2, [ALONE]],
    [
      {},
      { synchronous_mode_strict: true },
      2,
      ['synchronous_mode_strict has no effect without synchronous_mode.'],
    ],
  ])('%j to %j with %i standbys', (before, after, available, notes) => {
    expect(synchronousNotes(before, after, available)).toEqual(notes);
  });
});

describe('with a synchronous standby', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await Bench.start();
    bench.publish('node3', 3, { receive_lsn: 104857600, replay_lsn: 104857600 });
    bench.consul.set('demo/config', { synchronous_mode: 'on' });
    bench.consul.set('demo/sync', {
      leader: 'node1',
      sync_standby: 'node2',
      quorum: 0,
      version: 4,
    });
  });
  afterEach(() => bench.stop());

  const FAILOVER = ['failover', 'demo', '--candidate', 'node3'];
  const sent = (): string[] =>
    bench.members.flatMap(({ calls }) => calls.map(({ method, path }) => `${method} ${path}`));

  test('a failover to an asynchronous member takes two questions', async () => {
    bench.member('node1').on('POST /failover', 200, 'Successfully failed over to "node3"');
    const declined = await bench.run(FAILOVER, { typed: ['n'] });
    expect(declined.code).toBe(4);
    expect(declined.err).toContain('failover to the asynchronous node node3? [y/N]: ');
    expect((await bench.run(FAILOVER, { typed: ['y', 'n'] })).code).toBe(4);
    expect(sent()).toEqual([]);
    expect((await bench.run(FAILOVER, { typed: ['y', 'y'] })).code).toBe(0);
    expect(sent()).toEqual(['POST /failover']);
  });

  test('--force asks nothing but warns, and a synchronous candidate takes one question', async () => {
    bench.member('node1').on('POST /failover', 200, 'Successfully failed over');
    const forced = await bench.run([...FAILOVER, '--force']);
    expect(forced.code).toBe(0);
    expect(forced.err).toBe(
      'Warning: node3 is no synchronous standby: commits that were acknowledged may be lost.\n',
    );
    const asked = await bench.run(['failover', 'demo', '--candidate', 'node2'], { typed: ['y'] });
    expect(asked.code).toBe(0);
    expect(asked.err).not.toContain('asynchronous');
  });

  test('a switchover offers who is listed, and leaves the refusal of others to the agent', async () => {
    bench
      .member('node1')
      .on('POST /switchover', 412, 'candidate name does not match with sync_standby');
    const { code, err } = await bench.run(['switchover', 'demo'], { typed: ['', 'node3', 'y'] });
    expect(err).toContain('Candidate (node2) []: ');
    expect(err).toContain(
      'Error: switchover failed (status 412): candidate name does not match with sync_standby',
    );
    expect(code).toBe(1);
  });

  test('a switchover offers everybody when nobody is listed', async () => {
    bench.consul.set('demo/sync', { leader: 'node1', sync_standby: null, quorum: 0, version: 5 });
    const { err } = await bench.run(['switchover', 'demo'], { typed: ['', 'node3', 'n'] });
    expect(err).toContain('Candidate (node2, node3) []: ');
  });

  test('list and topology name the role, and warn when no standby is left', async () => {
    for (const command of ['list', 'topology']) {
      const { out } = await bench.run([command, 'demo']);
      expect(out).toMatch(/node2 .*\| Sync Standby \| streaming/);
      expect(out).toMatch(/node3 .*\| Replica +\| streaming/);
      expect(out).not.toContain('Synchronous replication');
    }
    bench.consul.set('demo/sync', { leader: 'node1', sync_standby: null, quorum: 0, version: 5 });
    expect((await bench.run(['list', 'demo'])).out).toContain(
      ' Synchronous replication: no standby. "pgbaton explain"',
    );
    bench.consul.keys.delete('service/demo/sync');
    expect((await bench.run(['list', 'demo'])).out).toContain(
      ' Synchronous replication: not in effect yet.',
    );
    const programs = JSON.parse((await bench.run(['list', 'demo', '-f', 'json'])).out) as unknown[];
    expect(programs).toHaveLength(3);
  });

  test('explain names the set', async () => {
    const { out } = await bench.run(['explain', 'demo']);
    expect(out).toContain('\n\nsynchronous   node2 has every commit that was acknowledged\n');
  });

  test('edit-config says what a change will mean, and --quiet does not', async () => {
    bench.member('node1').on('PATCH /config', 200, {});
    const edit = ['edit-config', 'demo', '-s', 'synchronous_mode=quorum', '--force'];
    const { out } = await bench.run(edit);
    expect(out).toContain('Note: Commits will wait for any 1 of the standbys;');
    expect(out).toContain('Note: Not strict:');
    expect((await bench.run([...edit, '--quiet'])).out).toBe('Configuration changed\n');
    expect(bench.member('node1').calls[0]?.body).toEqual({ synchronous_mode: 'quorum' });
  });
});
