import type { JsonObject } from '../core/json.ts';
import type { SynchronousPolicy } from '../core/settings.ts';
import { dynamicConfigSchema } from '../wire/config/dynamic.ts';
import { sameJson } from './dynamic-config.ts';
import { synchronousMode } from './members.ts';

const KEYS = ['synchronous_mode', 'synchronous_mode_strict', 'synchronous_node_count'] as const;

type Asked = Pick<SynchronousPolicy, 'mode' | 'strict' | 'nodeCount'>;

/** Wrong values are for the agent to refuse; here the default stands in for them. */
function askedBy(config: JsonObject): Asked {
  const { synchronous_mode_strict: strict, synchronous_node_count: count } =
    dynamicConfigSchema.shape;
  const readStrict = strict.safeParse(config['synchronous_mode_strict']);
  const readCount = count.safeParse(config['synchronous_node_count']);
  return {
    mode: synchronousMode(config),
    strict: readStrict.success && readStrict.data === true,
    nodeCount: readCount.success ? (readCount.data ?? 1) : 1,
  };
}

const standbys = (count: number): string => (count === 1 ? '1 standby' : `${count} standbys`);

const ROLE: Readonly<Record<'on' | 'quorum', string>> = {
  on: 'Sync Standby',
  quorum: 'Quorum Standby',
};

/**
 * What a change of the synchronous keys will mean for this cluster, a line each; none when it does not
 * touch them. `available`: members other than the leader that may be synchronous standbys.
 */
export function synchronousNotes(
  before: JsonObject,
  after: JsonObject,
  available: number,
): readonly string[] {
  if (KEYS.every((key) => sameJson(before[key], after[key]))) return [];
  const { mode, strict, nodeCount } = askedBy(after);
  if (mode === 'off') {
    const dead = strict ? ['synchronous_mode_strict has no effect without synchronous_mode.'] : [];
    if (askedBy(before).mode === 'off') return dead;
    return [
      'The leader will acknowledge commits alone: a failover may lose the last ones.',
      ...dead,
    ];
  }
  const notes = [
    mode === 'on'
      ? `Commits will wait for ${standbys(nodeCount)} that the leader chooses; "pgbaton list" shows them as ${ROLE.on}.`
      : `Commits will wait for any ${nodeCount} of the standbys; "pgbaton list" shows them as ${ROLE.quorum}.`,
  ];
  if (nodeCount > available) {
    notes.push(
      `Only ${standbys(available)} can be synchronous now, so that is as many as commits wait for.`,
    );
  }
  notes.push(
    strict
      ? 'Strict: while no standby is there, commits wait and the cluster does not write.'
      : 'Not strict: while no standby is there, the leader acknowledges alone, and only it may lead again by itself.',
  );
  return notes;
}
