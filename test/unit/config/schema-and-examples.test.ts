import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { expect, test } from 'vitest';
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

test('the systemd unit lets guardian and Postgres outlive the agent', () => {
  const unit = readFileSync(join(CONFIG, 'pgbaton.service'), 'utf8');
  expect(unit).toContain('\nKillMode=process\n');
  expect(unit).toContain('\nOOMPolicy=continue\n');
});
