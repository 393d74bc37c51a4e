import type { ClusterRecord, MemberKey } from '../../src/core/cluster.ts';
import { decodeCluster } from '../../src/wire/consul/cluster.ts';
import type { KvEntry } from '../../src/wire/consul/kv.ts';

import type { StoredEntry } from './fake-store-kv.ts';

interface Known {
  readonly entries: readonly StoredEntry[];
  readonly record: ClusterRecord;
}

const MEMBERS = 'members/';
type SlotName = Exclude<keyof ClusterRecord, 'members'>;

/**
 * Reads the same as `decodeCluster`, but only what has changed since it last looked: an entry that is
 * the same object is the same entry, and every key is read on its own. Where `readsBytes` is false it
 * takes an agent's own values for what their bytes mean, which is what the codecs promise.
 */
export class ClusterDecoder {
  readonly #known = new Map<string, Known>();
  readonly #readsBytes: boolean;

  constructor(readsBytes = true) {
    this.#readsBytes = readsBytes;
  }

  decode(prefix: string, entries: readonly StoredEntry[]): ClusterRecord {
    const known = this.#known.get(prefix);
    const record =
      known === undefined || !sameKeys(known.entries, entries)
        ? decodeCluster(prefix, entries)
        : this.#updated(prefix, known, entries);
    this.#known.set(prefix, { entries, record });
    return record;
  }

  #updated(prefix: string, known: Known, now: readonly StoredEntry[]): ClusterRecord {
    const changed = now.filter((entry, at) => entry !== known.entries[at]);
    if (this.#readsBytes || changed.some(({ meaning }) => meaning === undefined))
      return readAgain(prefix, known.record, changed);
    return changed.reduce(withMeaning, known.record);
  }
}

const sameKeys = (before: readonly KvEntry[], now: readonly KvEntry[]): boolean =>
  before.length === now.length && now.every(({ path }, at) => path === before[at]?.path);

function withMeaning(
  record: ClusterRecord,
  { meaning, modifyIndex: index, session }: StoredEntry,
): ClusterRecord {
  if (meaning === undefined || meaning.key.startsWith('events/')) return record;
  if (meaning.key.startsWith(MEMBERS)) {
    const name = meaning.key.slice(MEMBERS.length);
    const key = meaning.value as MemberKey;
    const members = record.members.map((member) =>
      member.key.name === name ? { key, index, session } : member,
    );
    return { ...record, members };
  }
  const value = meaning.key === 'leader' ? { member: meaning.value, session } : meaning.value;
  return { ...record, [meaning.key]: { kind: 'present', index, value } };
}

function readAgain(
  prefix: string,
  record: ClusterRecord,
  changed: readonly StoredEntry[],
): ClusterRecord {
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
