import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { describe, expect, test } from 'vitest';
import { READY_WITHIN_MILLIS } from '../../../src/adapters/system/service-manager.ts';
import { DEFAULT_TIMING } from '../../../src/core/timing.ts';
import { TIMING_KEYS, timingField } from '../../../src/core/timing.ts';
import { configJsonSchema } from '../../../src/config/json-schema.ts';
import { SETTINGS_REFERENCE, findSetting } from '../../../src/config/reference.ts';
import { DEFAULT_POLICY } from '../../../src/config/defaults.ts';
import { dynamicConfigSchema } from '../../../src/wire/config/dynamic.ts';
import { localConfigSchema } from '../../../src/wire/config/local.ts';
import { leafKeys } from '../../../src/wire/config/shape.ts';
import { sourceAt } from './fixtures.ts';

const CONFIG = new URL('../../../config', import.meta.url).pathname;
const localKeys = leafKeys(localConfigSchema).filter((key) => !key.startsWith('bootstrap.dcs.'));
const dynamicKeys = leafKeys(dynamicConfigSchema);

test('every key that the schemas accept is in the reference', () => {
  const missing = [...localKeys, ...dynamicKeys].filter((key) => findSetting(key) === undefined);
  expect(missing).toEqual([]);
});

test('every key of the reference is accepted by the schema of its layer', () => {
  const roles = ['superuser', 'replication', 'rewind'];
  const rows = SETTINGS_REFERENCE.filter(
    ({ key }) => !key.includes('<method>') && key !== 'bootstrap.dcs',
  ).flatMap((row) =>
    row.key.includes('<role>')
      ? roles.map((role) => ({ ...row, key: row.key.replace('<role>', role) }))
      : [row],
  );
  const unknown = rows.filter(({ key, layer }) => {
    const inLocal = layer === 'dynamic' || localKeys.includes(key);
    const inDynamic = layer === 'local' || dynamicKeys.includes(key);
    return !(inLocal && inDynamic);
  });
  expect(unknown).toEqual([]);
});

test('no key stands twice in the reference', () => {
  const keys = SETTINGS_REFERENCE.map(({ key }) => key);
  expect(keys.filter((key, position) => keys.indexOf(key) !== position)).toEqual([]);
});

const DERIVED: ReadonlySet<string> = new Set(['promote_timeout', 'primary_hang_timeout']);

test('the reference names the defaults that are in force', () => {
  const initial = (key: string): string | undefined => findSetting(key)?.default;
  for (const key of TIMING_KEYS.filter((name) => !DERIVED.has(name))) {
    expect([key, initial(key)]).toEqual([key, String(DEFAULT_TIMING[timingField(key)] / 1000)]);
  }
  expect(initial('crash_restart_budget')).toBe(String(DEFAULT_POLICY.crashRestartBudget));
  expect(initial('crash_window')).toBe(String(DEFAULT_POLICY.crashWindowMillis / 1000));
  expect(initial('member_slots_ttl')).toBe(String(DEFAULT_POLICY.memberSlotsTtlMillis / 1000));
  expect(initial('maximum_lag_on_failover')).toBe(String(DEFAULT_POLICY.maximumLagOnFailoverBytes));
  expect(initial('failsafe_mode')).toBe(DEFAULT_POLICY.failsafe ? 'on' : 'off');
  expect(initial('postgresql.use_pg_rewind')).toBe(DEFAULT_POLICY.usePgRewind ? 'on' : 'off');
});

test('config/pgbaton.schema.json is the schema of the code (vitest -u writes it)', async () => {
  const text = await format(JSON.stringify(configJsonSchema()), {
    parser: 'json',
    printWidth: 100,
  });
  await expect(text).toMatchFileSnapshot(join(CONFIG, 'pgbaton.schema.json'));
});

test('the example configuration loads without a warning', async () => {
  const source = await sourceAt(join(CONFIG, 'pgbaton.example.yml'));
  expect(source.current().warnings).toEqual([]);
  expect(source.current().policy.timing).toEqual(DEFAULT_TIMING);
  expect(source.current().bootstrap?.initdbOptions).toEqual([
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--data-checksums',
  ]);
});

const EXAMPLES = readdirSync(CONFIG).filter((name) => name.endsWith('.example.yml'));

test('there is an example for one member, for several, for TLS and for synchronous replication', () => {
  expect(EXAMPLES.toSorted()).toEqual([
    'pgbaton.example.yml',
    'single.example.yml',
    'synchronous.example.yml',
    'tls.example.yml',
  ]);
});

describe.each(EXAMPLES)('config/%s', (name) => {
  const text = readFileSync(join(CONFIG, name), 'utf8');

  test('begins with the schema that editors check it by', () => {
    const schema = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)?.[1] ?? '';
    expect(existsSync(join(CONFIG, schema))).toBe(true);
  });

  test('loads without a problem, a warning or a key that is not honoured', async () => {
    const source = await sourceAt(join(CONFIG, name));
    const { warnings, notHonoured } = source.current();
    expect([...warnings, ...notHonoured]).toEqual([]);
    expect(source.current().postgres.superuser.password?.reveal()).toMatch(/^change-me-/);
  });
});

test('the examples are what they say', async () => {
  const settings = async (name: string) => sourceAt(join(CONFIG, `${name}.example.yml`));
  const { synchronous } = (await settings('synchronous')).current().policy;
  expect(synchronous).toMatchObject({ mode: 'quorum', strict: true, nodeCount: 2 });
  const { restapi, consul } = (await settings('tls')).services();
  expect(restapi).toMatchObject({ certfile: '/etc/pgbaton/node1.crt', verifyClient: 'optional' });
  expect(restapi.authentication?.username).toBe('admin');
  expect(consul.scheme).toBe('https');
  expect(consul.token).toBeDefined();
  expect((await settings('single')).current().member.scope).toBe('single');
});

describe('the systemd unit', () => {
  const lines = readFileSync(join(CONFIG, 'pgbaton.service'), 'utf8').split('\n');
  const valuesOf = (key: string): string[] =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));

  test('lets guardian and Postgres outlive the agent', () => {
    expect(valuesOf('KillMode')).toEqual(['process']);
    expect(valuesOf('OOMPolicy')).toEqual(['continue']);
  });

  test('hands over at a stop, and leaves Postgres and lease to the next agent at a restart', () => {
    expect(valuesOf('KillSignal')).toEqual(['SIGTERM']);
    expect(valuesOf('RestartKillSignal')).toEqual(['SIGUSR2']);
    // Each would run before the signal, at a stop and a restart alike.
    expect([...valuesOf('ExecStop'), ...valuesOf('ExecStopPost')]).toEqual([]);
  });

  test('waits for longer than the agent does before it says that it is ready', () => {
    expect(valuesOf('Type')).toEqual(['notify']);
    expect(valuesOf('NotifyAccess')).toEqual(['all']);
    expect(Number(valuesOf('TimeoutStartSec')[0])).toBeGreaterThan(READY_WITHIN_MILLIS / 1000);
  });

  test('never stops Postgres because the agent is stuck: SIGTERM would', () => {
    expect(valuesOf('WatchdogSec')).toEqual(['30s']);
    expect(valuesOf('WatchdogSignal')).toEqual(['SIGKILL']);
    expect(valuesOf('TimeoutStartFailureMode')).toEqual(['kill']);
  });

  test('shows the next agent the same /tmp as Postgres, and slows no system call down', () => {
    const slowing =
      /^(SystemCall|Restrict|LockPersonality|MemoryDeny|Protect(Clock|Kernel|Hostname))/;
    expect([...valuesOf('PrivateTmp'), ...valuesOf('PrivateDevices')]).toEqual([]);
    expect(lines.filter((line) => slowing.test(line))).toEqual([]);
  });

  test('leaves the mode of the log to the configuration', () => {
    expect(valuesOf('UMask')).toEqual([]);
  });

  test('lets Consul outlive the hand-over of a host that shuts down', () => {
    expect(valuesOf('After').join(' ')).toContain('consul.service');
  });
});
