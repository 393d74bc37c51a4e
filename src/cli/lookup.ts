import type { ClusterRecord, Slot } from '../core/cluster.ts';
import type { Result } from '../core/result.ts';
import type { CommandContext } from './context.ts';
import { matchesRole, memberViews } from './members.ts';
import type { MemberView, RoleFilter } from './members.ts';
import { suggestion } from './suggestion.ts';
import { failed } from './outcome.ts';
import type { CliFailure } from './outcome.ts';
import { printable } from './text-width.ts';

export interface FoundCluster {
  readonly scope: string;
  readonly record: ClusterRecord;
  /** Sorted by name. */
  readonly members: readonly MemberView[];
}

type Found<T> = Result<T, CliFailure>;

/** The cluster named on the command line, else the one of the configuration. */
export async function resolveScope(
  context: CommandContext,
  named: string | undefined,
): Promise<Found<string>> {
  const scope = named ?? context.settings.scope;
  if (scope !== undefined) return { ok: true, value: scope };
  const scopes = await context.reader.listScopes();
  if (!scopes.ok) return scopes;
  return failed(
    'usage',
    'No cluster is named, and the configuration has no scope.',
    scopes.value.length === 0
      ? 'Name the cluster, or give a configuration with --config-file.'
      : `The clusters are: ${scopes.value.join(', ')}.`,
  );
}

async function noSuchCluster(context: CommandContext, scope: string): Promise<Found<never>> {
  const scopes = await context.reader.listScopes();
  // Listing may need more rights than reading one cluster: the first answer still stands.
  const known = scopes.ok ? scopes.value : [];
  const { namespace: where, consul } = context.settings;
  return failed(
    'unreachable',
    `There is no cluster "${scope}" below ${where} in Consul.`,
    // With ACLs, Consul shows nothing rather than refusing to whom it does not know.
    known.length === 0 && consul.token === undefined
      ? `Nothing is visible below ${where}; if Consul has ACLs, give consul.token or PATRONI_CONSUL_TOKEN.`
      : suggestion(scope, known, `clusters below ${where}`),
  );
}

/** Keys of a cluster that hold something nobody can read. */
function garbledKeys(record: ClusterRecord): string[] {
  return Object.entries(record).flatMap(
    ([key, slot]: [string, Slot<unknown> | readonly unknown[]]) =>
      'kind' in slot && slot.kind === 'garbled' ? [`${key} (${printable(slot.reason)})`] : [],
  );
}

/** Reads one cluster; warns on stderr of keys that cannot be read. */
export async function findCluster(
  context: CommandContext,
  scope: string,
): Promise<Found<FoundCluster>> {
  const record = await context.reader.read(scope);
  if (!record.ok) return record;
  if (record.value === undefined) return noSuchCluster(context, scope);
  const garbled = garbledKeys(record.value);
  if (garbled.length > 0) {
    context.terminal.err(`Warning: unreadable in Consul: ${garbled.join(', ')}.\n`);
  }
  return { ok: true, value: { scope, record: record.value, members: memberViews(record.value) } };
}

/** The cluster that an optional argument names. */
export async function resolveCluster(
  context: CommandContext,
  named: string | undefined,
): Promise<Found<FoundCluster>> {
  const scope = await resolveScope(context, named);
  return scope.ok ? findCluster(context, scope.value) : scope;
}

export interface Selection extends FoundCluster {
  /** Members named on the command line; empty: none was named. */
  readonly named: readonly MemberView[];
}

/**
 * Reads `[CLUSTER] [MEMBER...]`. With a scope in the configuration the cluster may be left out: a
 * first word that is a member of that cluster is taken as one.
 */
export async function resolveMembers(
  context: CommandContext,
  words: readonly string[],
): Promise<Found<Selection>> {
  const [first, ...rest] = words;
  const scope = context.settings.scope;
  if (first === undefined || scope === undefined || first === scope) {
    const cluster = await resolveCluster(context, first);
    return cluster.ok ? pickNamed(cluster.value, rest) : cluster;
  }
  const own = await findCluster(context, scope);
  if (own.ok && own.value.members.some((member) => member.name === first)) {
    return pickNamed(own.value, words);
  }
  const other = await context.reader.read(first);
  if (!other.ok) return other;
  if (other.value === undefined) return own.ok ? pickNamed(own.value, words) : own;
  const members = memberViews(other.value);
  return pickNamed({ scope: first, record: other.value, members }, rest);
}

function pickNamed(cluster: FoundCluster, names: readonly string[]): Found<Selection> {
  const picked: MemberView[] = [];
  for (const name of names) {
    const member = findMember(cluster, name);
    if (!member.ok) return member;
    if (!picked.includes(member.value)) picked.push(member.value);
  }
  return { ok: true, value: { ...cluster, named: picked } };
}

/** The member of that name, or a failure that suggests the nearest. */
export function findMember(cluster: FoundCluster, name: string): Found<MemberView> {
  const member = cluster.members.find((candidate) => candidate.name === name);
  if (member !== undefined) return { ok: true, value: member };
  const names = cluster.members.map((candidate) => candidate.name);
  return failed(
    'unreachable',
    `Cluster ${cluster.scope} has no member "${name}".`,
    suggestion(name, names, 'members'),
  );
}

/** Those named, or all, as far as they have the role; never empty. */
export function filterByRole(selection: Selection, role: RoleFilter): Found<readonly MemberView[]> {
  const from = selection.named.length > 0 ? selection.named : selection.members;
  const chosen = from.filter((member) => matchesRole(member, role));
  if (chosen.length > 0) return { ok: true, value: chosen };
  return failed(
    'unreachable',
    role === 'any'
      ? `Cluster ${selection.scope} has no members.`
      : `None of the ${selection.named.length > 0 ? 'named ' : ''}members is a ${role}.`,
    'See "pgbaton list".',
  );
}
