import type { ClusterRecord } from '../../src/core/cluster.ts';
import { decodeCluster } from '../../src/wire/consul/cluster.ts';
import type { KvEntry } from '../../src/wire/consul/kv.ts';

interface Known {
  readonly entries: readonly KvEntry[];
  readonly record: ClusterRecord;
}

const MEMBERS = 'members/';
type SlotName = Exclude<keyof ClusterRecord, 'members'>;

/**
 * Reads the same as `decodeCluster`, but only what has changed since it last looked: an entry that is
 * the same object is the same entry, and every key is read on its own.
 */
export class ClusterDecoder {
  readonly #known = new Map<string, Known>();

  decode(prefix: string, entries: readonly KvEntry[]): ClusterRecord {
    const known = this.#known.get(prefix);
    const record =
      known === undefined || !sameKeys(known.entries, entries)
        ? decodeCluster(prefix, entries)
        : updated(prefix, known, entries);
    this.#known.set(prefix, { entries, record });
    return record;
  }
}

const sameKeys = (before: readonly KvEntry[], now: readonly KvEntry[]): boolean =>
  before.length === now.length && now.every(({ path }, at) => path === before[at]?.path);

function updated(
  prefix: string,
  { entries, record }: Known,
  now: readonly KvEntry[],
): ClusterRecord {
  const changed = now.filter((entry, at) => entry !== entries[at]);
  const fresh = decodeCluster(prefix, changed);
  const keys = changed.map(({ path }) => path.slice(prefix.length));
  const slots = keys.filter(
    (key): key is SlotName => key !== 'members' && Object.hasOwn(record, key),
  );
  const members = keys.some((key) => key.startsWith(MEMBERS))
    ? record.members.map(
        (member) => fresh.members.find(({ key }) => key.name === member.key.name) ?? member,
      )
    : record.members;
  return { ...record, ...Object.fromEntries(slots.map((key) => [key, fresh[key]])), members };
}
