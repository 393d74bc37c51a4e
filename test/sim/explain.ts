import { valueOf } from '../../src/core/cluster.ts';
import type { ClusterRecord } from '../../src/core/cluster.ts';
import type { Machine } from './model.ts';

/** Where everyone is, and what every agent says it waits for. */
export function explain(hosts: readonly Machine[], record: ClusterRecord): readonly string[] {
  const text = (of: unknown): string =>
    JSON.stringify(of, (_key, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    ) ?? 'none';
  const keys = ['generation', 'sync', 'failsafe'] as const;
  const consul = keys.map((key) => `${key} ${text(valueOf<unknown>(record[key]))}`);
  return [`Consul: ${consul.join(', ')}`, ...hosts.flatMap(explainHost)];
}

function explainHost(host: Machine): readonly string[] {
  const { postgres, disk } = host;
  const where =
    disk.kind === 'cluster'
      ? `timeline ${disk.branch.timeline} (branch ${disk.branch.serial}) at ${disk.end}, ${disk.state}`
      : disk.kind;
  const upstream = postgres.receiver.upstream?.host.address ?? 'nobody';
  const own = host.facts.promotions.map(({ id, timeline }) => `${id} to ${timeline}`);
  const waits =
    postgres.synchronousStandbyNames === ''
      ? ''
      : `, commits wait for ${postgres.synchronousStandbyNames}`;
  const server = `${host.address}: Postgres ${postgres.state}${postgres.process.frozen ? ' (stopped)' : ''}, ${where}, streams from ${upstream}${waits}; promoted under ${own.join(', ')}`;
  if (host.agent === undefined) return [server, `  no agent${host.up ? '' : ', host is off'}`];
  const { rule, ruleName, why, waitsFor, sinceMillis } = host.agent.agent.explain();
  const since = `${Math.round(sinceMillis)} ms`;
  return [server, `  ${rule} ${ruleName} for ${since}: ${why} | waits for ${waitsFor.join('; ')}`];
}
