import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DEFAULT_TIMING } from '../../../src/core/timing.ts';
import { DEFAULT_POLICY } from '../../../src/config/defaults.ts';
import type { Json, JsonObject } from '../../../src/core/json.ts';
import { MINIMAL, sourceAt, sourceOf, writeConfig } from './fixtures.ts';

const PATRONI = { ttl: 30, loop_wait: 10, retry_timeout: 10 };

describe('the dynamic configuration', () => {
  test("sets Patroni's times as they are meant there", async () => {
    const source = await sourceOf(MINIMAL);
    const { timing } = source.applyDynamic({ ...PATRONI, master_start_timeout: 60 }).policy;
    expect(timing).toEqual({
      ...DEFAULT_TIMING,
      ttlMillis: 30_000,
      loopWaitMillis: 10_000,
      retryTimeoutMillis: 10_000,
      primaryStartTimeoutMillis: 60_000,
      primaryHangTimeoutMillis: 40_000,
    });
  });

  test('sets the whole policy, and what it does not set has its default', async () => {
    const source = await sourceOf(MINIMAL);
    expect(source.applyDynamic({}).policy).toEqual(DEFAULT_POLICY);
    const { policy } = source.applyDynamic({
      ttl: 60,
      heartbeat: '250ms',
      fence_budget: 0.25,
      promote_timeout: '2min',
      primary_stop_timeout: 5,
      maximum_lag_on_failover: '16MB',
      check_timeline: 'on',
      max_timelines_history: 10,
      failsafe_mode: false,
      crash_restart_budget: 0,
      crash_window: 30,
      member_slots_ttl: '1h',
      synchronous_mode: 'quorum',
      synchronous_mode_strict: 'on',
      synchronous_node_count: '2',
      maximum_lag_on_syncnode: '8MB',
    });
    expect(policy).toMatchObject({
      timing: {
        ttlMillis: 60_000,
        heartbeatMillis: 250,
        fenceBudgetMillis: 250,
        promoteTimeoutMillis: 120_000,
        primaryStopTimeoutMillis: 5000,
      },
      maximumLagOnFailoverBytes: 16_777_216,
      checkTimeline: true,
      maxTimelinesHistory: 10,
      failsafe: false,
      crashRestartBudget: 0,
      crashWindowMillis: 30_000,
      memberSlotsTtlMillis: 3_600_000,
      synchronous: { mode: 'quorum', strict: true, nodeCount: 2, maximumLagBytes: 8_388_608 },
    });
    expect(source.applyDynamic({ ttl: 60 }).policy.timing.promoteTimeoutMillis).toBe(60_000);
  });

  test.each<[Json, string]>([
    [true, 'on'],
    ['on', 'on'],
    ['QUORUM', 'quorum'],
    ['quorum', 'quorum'],
    [false, 'off'],
    ['off', 'off'],
  ])('synchronous_mode: %s is %s', async (written, mode) => {
    const { policy } = (await sourceOf(MINIMAL)).applyDynamic({ synchronous_mode: written });
    expect(policy.synchronous).toEqual({ ...DEFAULT_POLICY.synchronous, mode });
  });

  test.each([-1, 0, '0MB'])(
    'maximum_lag_on_syncnode: %s is no bound, as it is for Patroni',
    async (written) => {
      const source = await sourceOf(MINIMAL);
      const { policy } = source.applyDynamic({ maximum_lag_on_syncnode: written });
      expect(policy.synchronous.maximumLagBytes).toBeUndefined();
    },
  );

  test.each<[JsonObject, readonly string[]]>([
    [{ synchronous_mode: 'on' }, []],
    [
      {
        synchronous_mode: 'on',
        postgresql: { parameters: { synchronous_commit: 'remote_apply' } },
      },
      [],
    ],
    [
      { postgresql: { parameters: { synchronous_standby_names: 'a', synchronous_commit: 'off' } } },
      [],
    ],
    [
      { synchronous_mode_strict: true },
      ['synchronous_mode_strict: has no effect without synchronous_mode'],
    ],
    [
      {
        synchronous_mode: 'quorum',
        postgresql: { parameters: { Synchronous_Standby_Names: 'a', synchronous_commit: 'local' } },
      },
      [
        'postgresql.parameters.synchronous_standby_names: has no effect while synchronous_mode is quorum',
        'postgresql.parameters.synchronous_commit: local: commits wait for no standby, so that a failover may lose them in spite of synchronous_mode',
      ],
    ],
    [
      { synchronous_mode: 'on', postgresql: { parameters: { synchronous_commit: false } } },
      [expect.stringContaining('commits wait for no standby') as string],
    ],
  ])('warns of what contradicts the synchronous mode: %j', async (config, warnings) => {
    const source = await sourceOf(MINIMAL);
    expect(source.applyDynamic(config).warnings).toEqual(warnings);
    const checked = source.validateDynamic(config);
    expect(checked.ok && checked.value.warnings).toEqual(warnings);
  });

  test('that is gone leaves the last known one in force', async () => {
    const source = await sourceOf(MINIMAL);
    source.applyDynamic(PATRONI);
    expect(source.applyDynamic(undefined).policy.timing.ttlMillis).toBe(30_000);
  });

  test('before it is known, bootstrap.dcs stands in for it, and afterwards no more', async () => {
    const source = await sourceOf(`${MINIMAL}bootstrap: {dcs: {ttl: 20, check_timeline: on}}\n`);
    expect(source.current().policy.timing.ttlMillis).toBe(20_000);
    const { policy } = source.applyDynamic({ ttl: 25 });
    expect(policy.timing.ttlMillis).toBe(25_000);
    expect(policy.checkTimeline).toBe(false);
  });
});

describe('a dynamic configuration with mistakes', () => {
  test('is used as far as it goes, with a warning for the rest', async () => {
    const source = await sourceOf(MINIMAL);
    const { policy, postgres, warnings } = source.applyDynamic({
      maximum_lag_on_failover: 'much',
      check_timeline: true,
      unknown_key: 1,
      postgresql: {
        use_pg_rewind: 'perhaps',
        parameters: { work_mem: [], a: 1 },
        pg_hba: ['x', 1],
      },
    });
    expect(policy).toMatchObject({ checkTimeline: true, maximumLagOnFailoverBytes: 1_048_576 });
    expect(postgres.parameters).toMatchObject({ a: 1 });
    expect(postgres.pgHba).toBeUndefined();
    expect(warnings).toEqual([
      'dynamic configuration: maximum_lag_on_failover: expected a size of at least 0: bytes, or a number with kB, MB, GB or TB, found "much": left out, the default holds',
      'dynamic configuration: postgresql.parameters.work_mem: expected text, a number or a boolean, found an empty list: left out, the default holds',
      'dynamic configuration: postgresql.pg_hba.1: expected a line of text, found 1: left out, the default holds',
      'dynamic configuration: postgresql.use_pg_rewind: expected a boolean: on or off, found "perhaps": left out, the default holds',
      'dynamic configuration: unknown_key: unknown key, it has no effect',
    ]);
  });

  test.each<[string, JsonObject, string]>([
    [
      'a lease too short for its heartbeats',
      { ttl: 2 },
      'ttl: ttl 2 s is shorter than 3 x heartbeat 0.5 s + 2 x fence_budget 0.5 s = 2.5 s (raise ttl to at least 2.5, or lower heartbeat to at most 0.333)',
    ],
    [
      'a retry longer than the lease',
      { retry_timeout: 10 },
      'retry_timeout: retry_timeout 10 s is longer than ttl 3 s (lower retry_timeout to at most 3, or raise ttl to at least 10)',
    ],
    [
      'no heartbeat',
      { heartbeat: 0 },
      'heartbeat: heartbeat 0 s is below 0.05 s (raise heartbeat to at least 0.05)',
    ],
    [
      'a time that is none',
      { ttl: 'soon' },
      'ttl: expected a duration: seconds, or a number with us, ms, s, min, h or d, found "soon"',
    ],
  ])('keeps the last valid timing: %s', async (_what, change, message) => {
    const source = await sourceOf(MINIMAL);
    source.applyDynamic({ ttl: 30, heartbeat: 1 });
    const settings = source.applyDynamic({ ...change, check_timeline: true });
    expect(settings.policy.timing).toMatchObject({ ttlMillis: 30_000, heartbeatMillis: 1000 });
    expect(settings.policy.checkTimeline).toBe(true);
    expect(settings.warnings).toEqual([
      `dynamic configuration: ${message}: the last valid timing stays in force`,
    ]);
    expect(source.applyDynamic({}).policy.timing).toEqual(DEFAULT_TIMING);
  });

  test.each<[JsonObject, readonly string[]]>([
    [{ ttl: 2 }, ['ttl']],
    [{ ttl: 'x', heartbeat: -1, pause: 'maybe' }, ['ttl', 'heartbeat', 'pause']],
    [
      { postgresql: { parameters: { max_connections: 1 } } },
      ['postgresql.parameters.max_connections'],
    ],
    [{ postgresql: { wal_g: { command: [] } } }, ['postgresql.wal_g.command']],
    [{ synchronous_mode: 'always' }, ['synchronous_mode']],
    [{ slots: [] }, ['slots']],
    [{ standby_cluster: { port: {} } }, ['standby_cluster.port']],
  ])('is refused from an operator: %j', async (dynamic, keys) => {
    const answer = (await sourceOf(MINIMAL)).validateDynamic(dynamic);
    expect(answer.ok ? [] : answer.error.problems.map(({ key }) => key)).toEqual(keys);
  });

  test('an unknown key does not refuse it, and is named', async () => {
    const answer = (await sourceOf(`${MINIMAL}foo: 1\n`)).validateDynamic({ tll: 30 });
    expect(answer).toEqual({
      ok: true,
      value: {
        warnings: [
          'dynamic configuration: tll: unknown key, it has no effect (did you mean "ttl"?)',
        ],
      },
    });
  });
});

describe('keys that are not honoured yet', () => {
  test('are named by their path, once, in the local and the dynamic configuration', async () => {
    const source = await sourceOf(
      `${MINIMAL}  parameters_primary: {a: 1}\netcd: {host: x}\ntags: {nostream: on}\nlog: {format: x}\n`,
    );
    const settings = source.applyDynamic({
      slots: { a: { type: 'physical' } },
      standby_cluster: { host: 'x' },
      postgresql: { parameters_primary: { b: 1 } },
    });
    expect(settings.notHonoured).toEqual([
      'slots',
      'standby_cluster',
      'postgresql.parameters_primary',
      'etcd',
      'log.format',
      'tags.nostream',
    ]);
  });

  test('are not named while they ask for nothing', async () => {
    const source = await sourceOf(`${MINIMAL}watchdog: {mode: off}\ntags: {nostream: no}\n`);
    const settings = source.applyDynamic({
      synchronous_mode: false,
      synchronous_mode_strict: 'off',
      synchronous_node_count: 1,
      maximum_lag_on_syncnode: -1,
      pause: false,
      slots: {},
      ignore_slots: [],
      standby_cluster: null,
    });
    expect(settings.notHonoured).toEqual([]);
  });
});

describe('reload', () => {
  test('takes over a corrected file and keeps the dynamic configuration', async () => {
    const path = writeConfig(MINIMAL);
    const source = await sourceAt(path);
    source.applyDynamic(PATRONI);
    writeFileSync(path, MINIMAL.replace('10.0.0.1:8008', '10.0.0.9:8008\n  ciphers: x'));
    const reloaded = await source.reload();
    expect(reloaded.ok && reloaded.value.member.apiUrl).toBe('http://10.0.0.9:8008/patroni');
    expect(source.services().restapi.ciphers).toBe('x');
    expect(source.current().policy.timing.ttlMillis).toBe(30_000);
  });

  test('with a mistake leaves everything as it was', async () => {
    const path = writeConfig(MINIMAL);
    const source = await sourceAt(path);
    const before = source.current();
    writeFileSync(path, MINIMAL.replace('scope: main', 'scope: [x]'));
    const reloaded = await source.reload();
    expect(reloaded.ok ? '' : reloaded.error.message).toContain('pgbaton.yml:1:1: scope: expected');
    expect(source.current()).toBe(before);
  });

  test('does not turn the member into another one', async () => {
    const path = writeConfig(MINIMAL);
    const source = await sourceAt(path);
    writeFileSync(
      path,
      MINIMAL.replace('node1', 'node2').replace('main', 'other').replace('/data', '/else'),
    );
    await source.reload();
    const { member, postgres, warnings } = source.current();
    expect([member.name, member.scope, postgres.dataDir]).toEqual(['node1', 'main', '/data']);
    expect(warnings).toEqual(
      ['scope', 'name', 'postgresql.data_dir'].map(
        (key) => `${key}: a change takes effect when pgbaton is started again`,
      ),
    );
  });

  test('uses a changed bootstrap.dcs while no dynamic configuration is known', async () => {
    const path = writeConfig(`${MINIMAL}bootstrap: {dcs: {ttl: 20}}\n`);
    const source = await sourceAt(path);
    writeFileSync(path, `${MINIMAL}bootstrap: {dcs: {ttl: 25}}\n`);
    await source.reload();
    expect(source.current().policy.timing.ttlMillis).toBe(25_000);
  });
});

describe('times that leave no room for a watchdog device', () => {
  const SHORT = { ttl: 1, heartbeat: 0.2, fence_budget: 0.2, retry_timeout: 1 };

  test('are refused where it is required: nobody who is configured like this would lead', async () => {
    const source = await sourceOf(`${MINIMAL}watchdog: {mode: required}\n`);
    const refused = source.validateDynamic(SHORT);
    expect(refused.ok ? '' : refused.error.message).toContain(
      'watchdog.mode is required here, and ttl 1 s is too short for a watchdog device',
    );
    expect(source.validateDynamic({ ttl: 30 }).ok).toBe(true);
  });

  test('are warned of where it is not', async () => {
    const source = await sourceOf(`${MINIMAL}watchdog: {mode: automatic}\n`);
    const accepted = source.validateDynamic(SHORT);
    expect(accepted.ok ? accepted.value.warnings : []).toEqual([
      expect.stringContaining('none is used (raise ttl to at least 1.4'),
    ]);
  });
});
