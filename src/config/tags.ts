import type { JsonObject } from '../core/json.ts';
import type { Tags } from '../core/settings.ts';
import type { TagsConfig } from '../wire/config/local.ts';

/** Booleans that are not published while false, except beside the priority they go with. */
const QUIET: Readonly<Record<string, string | undefined>> = {
  clonefrom: undefined,
  noloadbalance: undefined,
  nostream: undefined,
  nofailover: 'failover_priority',
  nosync: 'sync_priority',
};

/** Tags with Patroni's rules: of a contradicting pair the boolean wins, with a warning. */
export function resolveTags(config: TagsConfig = {}): {
  readonly tags: Tags;
  readonly warnings: readonly string[];
} {
  const failover = resolvePair(config, 'nofailover', 'failover_priority');
  const sync = resolvePair(config, 'nosync', 'sync_priority');
  return {
    tags: {
      nofailover: failover.forbidden,
      failoverPriority: failover.priority,
      noloadbalance: config.noloadbalance ?? false,
      clonefrom: config.clonefrom ?? false,
      nosync: sync.forbidden,
      syncPriority: sync.priority,
      nostream: config.nostream ?? false,
      replicatefrom: config.replicatefrom,
      published: publish(config),
    },
    warnings: [...failover.warnings, ...sync.warnings],
  };
}

function resolvePair(
  config: TagsConfig,
  flag: 'nofailover' | 'nosync',
  number: 'failover_priority' | 'sync_priority',
): {
  readonly forbidden: boolean;
  readonly priority: number;
  readonly warnings: readonly string[];
} {
  const given = config[flag];
  const priority = config[number] ?? 1;
  const forbidden = given ?? priority <= 0;
  const effective = forbidden ? Math.min(priority, 0) : Math.max(priority, 1);
  if (effective === priority || config[number] === undefined) {
    return { forbidden, priority: effective, warnings: [] };
  }
  const remedy = `keep one of the two`;
  const warning = `tags: ${flag}: ${String(given)} contradicts ${number}: ${priority}, and ${flag} wins; ${remedy}`;
  return { forbidden, priority: effective, warnings: [warning] };
}

function publish(config: TagsConfig): JsonObject {
  const shown = Object.entries(config).filter(([tag, value]) => {
    const beside = QUIET[tag];
    return (
      value !== false || !Object.hasOwn(QUIET, tag) || (beside !== undefined && beside in config)
    );
  });
  return Object.fromEntries(shown) as JsonObject;
}
