import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { notHonouredKeys } from '../../../src/config/not-honoured.ts';
import { findSetting } from '../../../src/config/reference.ts';

const SRC = new URL('../../../src', import.meta.url).pathname;

/** The code that could act on a setting. */
const acting = ['agent', 'core', 'adapters', 'api', 'telemetry']
  .flatMap((folder) =>
    readdirSync(join(SRC, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('settings.ts'))
      .map((file) => readFileSync(join(SRC, folder, file), 'utf8')),
  )
  .concat(readFileSync(join(SRC, 'main.ts'), 'utf8'))
  .join('\n');

describe('a key is on the list of what is not honoured exactly while nothing reads its setting', () => {
  test.each([
    ['failsafe_mode', /policy\.failsafe\b/],
    ['check_timeline', /\bcheckTimeline\b/],
    ['member_slots_ttl', /\bmemberSlotsTtlMillis\b/],
    ['crash_restart_budget', /\bcrashRestartBudget\b/],
    ['max_timelines_history', /\bmaxTimelinesHistory\b/],
    ['primary_stop_timeout', /\bprimaryStopTimeoutMillis\b/],
    ['postgresql.callbacks', /\.callbacks\b/],
    ['postgresql.pre_promote', /\bprePromote\b/],
    ['postgresql.before_stop', /\bbeforeStop\b/],
    ['postgresql.rewind', /\brewindOptions\b/],
    ['postgresql.use_unix_socket', /\buseUnixSocket\b/],
    ['synchronous_mode', /\bsynchronous\b.*\bmode\b/],
    ['synchronous_mode_strict', /\bstrict\b/],
    ['synchronous_node_count', /\bnodeCount\b/],
    ['maximum_lag_on_syncnode', /synchronous\.maximumLagBytes\b/],
    ['tags.nosync', /\bnosync\b/],
    ['tags.nostream', /tags\.nostream\b/],
    ['tags.replicatefrom', /tags\.replicatefrom\b/],
    ['watchdog.mode', /watchdog\b.*\bmode\b/],
    ['consul.register_service', /\bregisterService\b/],
    ['consul.checks', /\.checks\b/],
    ['log.deduplicate_heartbeat_logs', /\bdeduplicateHeartbeats\b/],
  ])('%s', (key, reads) => {
    expect({ key, listed: notHonouredKeys().includes(key) }).toEqual({
      key,
      listed: !reads.test(acting),
    });
  });
});

test('every key of the list is a setting', () => {
  const sections = new Set(['citus', 'standby_cluster']);
  const unknown = notHonouredKeys().filter((key) => !sections.has(key) && !findSetting(key));
  expect(unknown).toEqual([]);
});
