import { ABSENT, EMPTY_CLUSTER } from '../../core/cluster.ts';
import type { ClusterRecord, LeaderKey, Member, Slot } from '../../core/cluster.ts';
import type { Codec } from './codec.ts';
import { memberNameOf } from './keys.ts';
import { textOf } from './kv.ts';
import type { KvEntry } from './kv.ts';
import { generationCodec, leaseCodec } from './lease.ts';
import { decodeMember, unreadableMember } from './member.ts';
import {
  failoverCodec,
  failsafeCodec,
  historyCodec,
  initializeCodec,
  leaderCodec,
  objectCodec,
  statusCodec,
  syncCodec,
} from './patroni-keys.ts';

function readSlot<T>(entry: KvEntry | undefined, codec: Codec<T>): Slot<T> {
  if (entry === undefined) return ABSENT;
  const text = textOf(entry.value);
  const decoded = text === undefined ? undefined : codec.decode(text);
  if (decoded?.ok === true) {
    return { kind: 'present', index: entry.modifyIndex, value: decoded.value };
  }
  const reason = decoded === undefined ? 'not UTF-8' : decoded.error;
  return { kind: 'garbled', index: entry.modifyIndex, reason };
}

function readLeader(entry: KvEntry | undefined): Slot<LeaderKey> {
  const slot = readSlot(entry, leaderCodec);
  if (slot.kind !== 'present') return slot;
  return { ...slot, value: { member: slot.value, session: entry?.session } };
}

function readMember(name: string, entry: KvEntry): Member {
  const text = textOf(entry.value);
  const decoded = text === undefined ? undefined : decodeMember(name, text);
  const key = decoded?.ok === true ? decoded.value : unreadableMember(name);
  return { key, index: entry.modifyIndex, session: entry.session };
}

/**
 * All keys below `prefix` as one record. Entries elsewhere and keys nobody knows are left out; a
 * value nobody can read is `garbled`, never absent. Total: no input makes it throw.
 */
export function decodeCluster(prefix: string, entries: readonly KvEntry[]): ClusterRecord {
  const byKey = new Map<string, KvEntry>();
  for (const entry of entries) {
    if (entry.path.startsWith(prefix)) byKey.set(entry.path.slice(prefix.length), entry);
  }
  if (byKey.size === 0) return EMPTY_CLUSTER;
  const members: Member[] = [];
  for (const [key, entry] of byKey) {
    const name = memberNameOf(key);
    if (name !== undefined) members.push(readMember(name, entry));
  }
  return {
    generation: readSlot(byKey.get('generation'), generationCodec),
    lease: readSlot(byKey.get('lease'), leaseCodec),
    leader: readLeader(byKey.get('leader')),
    status: readSlot(byKey.get('status'), statusCodec),
    initialize: readSlot(byKey.get('initialize'), initializeCodec),
    config: readSlot(byKey.get('config'), objectCodec),
    failover: readSlot(byKey.get('failover'), failoverCodec),
    history: readSlot(byKey.get('history'), historyCodec),
    sync: readSlot(byKey.get('sync'), syncCodec),
    failsafe: readSlot(byKey.get('failsafe'), failsafeCodec),
    members,
  };
}
