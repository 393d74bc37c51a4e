import type { GucValue, SynchronousPolicy } from '../core/settings.ts';
import type { DynamicConfig } from '../wire/config/dynamic.ts';
import { DEFAULT_POLICY } from './defaults.ts';

export function resolveSynchronous(config: DynamicConfig): SynchronousPolicy {
  const fallback = DEFAULT_POLICY.synchronous;
  const lag = config.maximum_lag_on_syncnode;
  return {
    mode: config.synchronous_mode ?? fallback.mode,
    strict: config.synchronous_mode_strict ?? fallback.strict,
    nodeCount: config.synchronous_node_count ?? fallback.nodeCount,
    // Patroni takes its default of -1, and 0 too, for no bound at all.
    maximumLagBytes: lag === undefined || lag <= 0 ? fallback.maximumLagBytes : lag,
  };
}

/** Settings of `synchronous_commit` under which PostgreSQL asks no standby, whatever the list of names. */
const ASKS_NOBODY = /^(off|local|false|no|0)$/i;

/** What contradicts the mode that is asked for. */
export function synchronousWarnings(
  { mode, strict }: SynchronousPolicy,
  parameters: Readonly<Record<string, GucValue>>,
): readonly string[] {
  if (mode === 'off') {
    return strict ? ['synchronous_mode_strict: has no effect without synchronous_mode'] : [];
  }
  const given = new Map(
    Object.entries(parameters).map(([name, value]) => [name.toLowerCase(), String(value)]),
  );
  const warnings: string[] = [];
  if ((given.get('synchronous_standby_names') ?? '') !== '') {
    warnings.push(
      `postgresql.parameters.synchronous_standby_names: has no effect while synchronous_mode is ${mode}`,
    );
  }
  const commit = given.get('synchronous_commit');
  if (commit !== undefined && ASKS_NOBODY.test(commit)) {
    warnings.push(
      `postgresql.parameters.synchronous_commit: ${commit}: commits wait for no standby, so that a failover may lose them in spite of synchronous_mode`,
    );
  }
  return warnings;
}
