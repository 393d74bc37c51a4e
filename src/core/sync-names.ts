/**
 * `synchronous_standby_names` as a value: who has to have a commit before it is acknowledged.
 * Grammar: PostgreSQL's syncrep_gram.y; names are compared without regard to case.
 */
export type SyncNames =
  | { readonly kind: 'none' }
  | {
      /** `first`: the `count` connected ones that stand first in the list; `any`: any `count` of them. */
      readonly kind: 'first' | 'any';
      readonly count: number;
      readonly names: readonly string[];
    };

export const NO_SYNC_NAMES: SyncNames = { kind: 'none' };

/** A name that no member can have: commits wait for it until the list is replaced. */
export const NOBODY = '__pgbaton_nobody__';

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** As Patroni writes it: `"a"`, `2 ("a","b")`, `ANY 1 ("a","b")`. */
export function formatSyncNames(wanted: SyncNames): string {
  if (wanted.kind === 'none') return '';
  const list = wanted.names.map(quote).join(',');
  if (wanted.kind === 'any') return `ANY ${wanted.count} (${list})`;
  return wanted.count === 1 && wanted.names.length === 1 ? list : `${wanted.count} (${list})`;
}

/** Undefined: no value that PostgreSQL would accept. */
export function parseSyncNames(text: string): SyncNames | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return NO_SYNC_NAMES;
  const counted = /^(?:(FIRST|ANY)\s+)?(\d+)\s*\((.*)\)$/is.exec(trimmed);
  const names = splitNames(counted?.[3] ?? trimmed);
  if (names === undefined || names.length === 0) return undefined;
  const count = counted === null ? 1 : Number(counted[2]);
  if (count < 1) return undefined;
  return { kind: counted?.[1]?.toUpperCase() === 'ANY' ? 'any' : 'first', count, names };
}

const NAME = /\s*(?:"((?:[^"]|"")+)"|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\*))\s*(,|$)/y;

function splitNames(list: string): readonly string[] | undefined {
  const names: string[] = [];
  const scan = new RegExp(NAME);
  for (let more = true; more;) {
    const match = scan.exec(list);
    if (match === null) return undefined;
    names.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    more = match[3] === ',';
    if (!more && scan.lastIndex !== list.length) return undefined;
  }
  return names;
}
