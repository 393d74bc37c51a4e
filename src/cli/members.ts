import { unreachable } from '../core/assert.ts';
import { valueOf } from '../core/cluster.ts';
import type { ClusterRecord, Member } from '../core/cluster.ts';
import type { JsonObject } from '../core/json.ts';
import { formatLsn, lagBytes } from '../core/lsn.ts';
import type { Lsn } from '../core/lsn.ts';
import type { SynchronousPolicy } from '../core/settings.ts';
import { standingOf } from '../core/synchronous-set.ts';
import type { Standing } from '../core/synchronous-set.ts';
import { dynamicConfigSchema } from '../wire/config/dynamic.ts';

export type Role = 'leader' | 'standby_leader' | 'sync_standby' | 'quorum_standby' | 'replica';

/** A position and how far it trails the leader's, in whole bytes. */
export interface Position {
  readonly lsn: Lsn;
  readonly lagBytes: bigint | undefined;
}

/** One member as `list` shows it. */
export interface MemberView {
  readonly name: string;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly apiUrl: string;
  readonly role: Role;
  readonly state: string;
  readonly timeline: number | undefined;
  /** Undefined for the leader; `unknown` when the member did not say. */
  readonly received: Position | 'unknown' | undefined;
  readonly replayed: Position | 'unknown' | undefined;
  readonly pendingRestart: boolean;
  readonly pendingRestartReason: JsonObject;
  readonly tags: JsonObject;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Who holds the `leader` key. */
export const leaderName = (record: ClusterRecord): string | undefined =>
  valueOf(record.leader)?.member;

function isStandbyCluster(config: JsonObject): boolean {
  const standby = config['standby_cluster'];
  return (
    isObject(standby) && ['host', 'port', 'restore_command'].some((key) => Boolean(standby[key]))
  );
}

const ROLE_OF_STANDING: Readonly<Record<Standing, Role>> = {
  sync: 'sync_standby',
  quorum: 'quorum_standby',
  async: 'replica',
};

/** `synchronous_mode` of the dynamic configuration, in any spelling that the agents take. */
export function synchronousMode(config: JsonObject): SynchronousPolicy['mode'] {
  const read = dynamicConfigSchema.shape.synchronous_mode.safeParse(config['synchronous_mode']);
  return read.success ? (read.data ?? 'off') : 'off';
}

/** The role as Patroni's `/cluster` gives it. */
function roleOf(name: string, record: ClusterRecord): Role {
  const config = valueOf(record.config) ?? {};
  if (name === leaderName(record)) return isStandbyCluster(config) ? 'standby_leader' : 'leader';
  const standing = standingOf(name, valueOf(record.sync), synchronousMode(config));
  return ROLE_OF_STANDING[standing];
}

/** Host and port of `postgres://host:port/database`; the first of several hosts. */
function addressOf(connUrl: string): { host: string | undefined; port: number | undefined } {
  try {
    const url = new URL(connUrl.replace(/^(postgres(?:ql)?:\/\/[^/,]*),[^/]*/, '$1'));
    const host = url.hostname.replace(/^\[|\]$/g, '');
    return {
      host: host === '' ? undefined : host,
      port: url.port === '' ? undefined : Number(url.port),
    };
  } catch {
    return { host: undefined, port: undefined };
  }
}

function position(at: Lsn | undefined, optime: Lsn | undefined): Position | 'unknown' {
  if (at === undefined || at === 0n) return 'unknown';
  return { lsn: at, lagBytes: optime === undefined ? undefined : lagBytes(optime, at) };
}

function viewOf({ key }: Member, record: ClusterRecord): MemberView {
  const role = roleOf(key.name, record);
  const leads = role === 'leader' || role === 'standby_leader';
  const optime = valueOf(record.status)?.optime;
  const knownOptime = optime === 0n ? undefined : optime;
  return {
    name: key.name,
    ...addressOf(key.connUrl),
    apiUrl: key.apiUrl,
    role,
    state: role === 'leader' ? key.state : (key.replicationState ?? key.state),
    timeline: key.timeline,
    received: leads ? undefined : position(key.receiveLsn ?? key.xlogLocation, knownOptime),
    replayed: leads ? undefined : position(key.replayLsn ?? key.xlogLocation, knownOptime),
    pendingRestart: key.pendingRestart === true,
    pendingRestartReason: key.pendingRestartReason ?? {},
    tags: key.tags ?? {},
  };
}

/** All members, sorted by name. */
export function memberViews(record: ClusterRecord): readonly MemberView[] {
  const views = record.members.map((member) => viewOf(member, record));
  return views.sort((left, right) => (left.name < right.name ? -1 : 1));
}

const leads = (member: MemberView): boolean =>
  member.role === 'leader' || member.role === 'standby_leader';

export interface TreeMember {
  readonly member: MemberView;
  /** 0 for the root. */
  readonly depth: number;
}

/**
 * The replication tree: the leader, then depth first who follows whom by `replicatefrom`. The tag is
 * ignored when it names the leader, the member itself or nobody. Members in a circle of tags come last.
 */
export function memberTree(members: readonly MemberView[]): readonly TreeMember[] {
  const leader = members.find(leads);
  const replicas = members.filter((member) => !leads(member));
  const parentOf = (member: MemberView): string | undefined => {
    const tag = member.tags['replicatefrom'];
    const known = typeof tag === 'string' && tag !== member.name;
    return known && replicas.some((other) => other.name === tag) ? tag : undefined;
  };
  const tree: TreeMember[] = leader === undefined ? [] : [{ member: leader, depth: 0 }];
  const append = (parent: string | undefined, depth: number): void => {
    for (const member of replicas) {
      if (parentOf(member) !== parent) continue;
      tree.push({ member, depth });
      append(member.name, depth + 1);
    }
  };
  append(undefined, 1);
  const circular = replicas.filter((member) => !tree.some((node) => node.member === member));
  return [...tree, ...circular.map((member) => ({ member, depth: 1 }))];
}

export type RoleFilter = 'leader' | 'primary' | 'standby-leader' | 'replica' | 'standby' | 'any';
export const ROLE_FILTERS: readonly RoleFilter[] = [
  'leader',
  'primary',
  'standby-leader',
  'replica',
  'standby',
  'any',
];

/** Whether `--role` selects this member. */
export function matchesRole(member: MemberView, filter: RoleFilter): boolean {
  switch (filter) {
    case 'any':
      return true;
    case 'leader':
      return leads(member);
    case 'primary':
      return member.role === 'leader';
    case 'standby-leader':
      return member.role === 'standby_leader';
    case 'replica':
    case 'standby':
      return !leads(member);
    default:
      return unreachable(filter);
  }
}

/** Tag `nofailover`, or a `failover_priority` of zero or less. */
export function mayLead(tags: JsonObject): boolean {
  const priority = tags['failover_priority'];
  if (typeof tags['nofailover'] === 'boolean') return !tags['nofailover'];
  return !(typeof priority === 'number' && priority <= 0);
}

/** `0/3000148`, `unknown`, or empty for a leader. */
export function positionText(at: Position | 'unknown' | undefined): string {
  if (at === undefined || at === 'unknown') return at ?? '';
  return formatLsn(at.lsn);
}

const MEGABYTE = 1024 * 1024;

/** Lag in whole megabytes, `unknown`, or empty for a leader. */
export function lagMegabytes(at: Position | 'unknown' | undefined): number | string {
  if (at === undefined) return '';
  if (at === 'unknown' || at.lagBytes === undefined) return 'unknown';
  return Math.round(Number(at.lagBytes) / MEGABYTE);
}

/** `sync_standby` as people read it: `Sync Standby`. */
export const roleTitle = (role: Role): string =>
  role.replace(
    /(?:^|_)(\w)/g,
    (_, letter: string, at: number) => (at === 0 ? '' : ' ') + letter.toUpperCase(),
  );
