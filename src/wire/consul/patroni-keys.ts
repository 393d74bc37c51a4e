import { z } from 'zod';
import type { FailoverRequest, HistoryEntry, Status, SyncKey } from '../../core/cluster.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Lsn } from '../../core/lsn.ts';
import { err, ok } from '../../core/result.ts';
import { jsonCodec, lsnField, objectField, splitNames, textCodec } from './codec.ts';
import type { Codec } from './codec.ts';
import { isObject, parseJson } from './json.ts';

/**
 * Keys that Patroni and its tools read and write, in its formats (patroni/dcs/__init__.py,
 * classes Status, Failover, TimelineHistory and SyncState).
 */

/** Entries that are no positions are left out: Patroni does the same. A slot may be called `__proto__`. */
const slotsSchema = z.custom<object>(isObject).transform((value): Readonly<Record<string, Lsn>> =>
  Object.fromEntries(
    Object.entries(value).flatMap(([name, position]) => {
      const read = lsnField.safeParse(position);
      return read.success ? [[name, read.data]] : [];
    }),
  ),
);

const statusObject = z
  .object({
    optime: lsnField,
    slots: slotsSchema.nullish().catch(undefined),
    retain_slots: z.array(z.string()).nullish().catch(undefined),
  })
  .transform(({ optime, slots, retain_slots }): Status => ({
    optime,
    slots: slots ?? {},
    retainSlots: retain_slots ?? [],
  }));

/** Old Patroni wrote the position alone. */
const statusSchema = z.union([
  statusObject,
  lsnField.transform((optime): Status => ({ optime, slots: {}, retainSlots: [] })),
]);

/** Key `status`: `{"optime":24470192,"slots":{"postgres_0":24470192},"retain_slots":["postgres_0"]}`. */
export const statusCodec: Codec<Status> = jsonCodec(statusSchema, (status) => ({
  optime: status.optime,
  slots: status.slots,
  retain_slots: status.retainSlots,
}));

const failoverSchema = z
  .object({
    leader: z.string().nullish(),
    member: z.string().nullish(),
    scheduled_at: z.string().nullish(),
  })
  .transform(({ leader, member, scheduled_at }): FailoverRequest => ({
    leader: orUndefined(leader),
    candidate: orUndefined(member),
    scheduledAt: orUndefined(scheduled_at),
  }));

const orUndefined = (text: string | null | undefined): string | undefined =>
  text === null || text === '' ? undefined : text;

const failoverJson = jsonCodec(failoverSchema, (request) => ({
  leader: request.leader,
  member: request.candidate,
  scheduled_at: request.scheduledAt,
}));

/** Key `failover`: JSON, or the legacy text `leader:member` with either side empty. `{}` is a done request. */
export const failoverCodec: Codec<FailoverRequest> = {
  decode: (text) => {
    if (parseJson(text).ok) return failoverJson.decode(text);
    const [leader, member, ...rest] = text.split(':').map((part) => part.trim());
    if (/[{}"\s]/.test(text.trim()) || rest.length > 0) {
      return err('neither JSON nor leader:member');
    }
    return ok({
      leader: orUndefined(leader),
      candidate: orUndefined(member),
      scheduledAt: undefined,
    });
  },
  encode: (request) => failoverJson.encode(request),
};

const historyEntrySchema = z
  .tuple([z.int().positive(), lsnField, z.string()], z.unknown())
  .transform(([timeline, lsn, reason, timestamp, leader]): HistoryEntry => ({
    timeline,
    lsn,
    reason,
    timestamp: typeof timestamp === 'string' ? timestamp : undefined,
    leader: typeof leader === 'string' ? leader : undefined,
  }));

/** Key `history`: `[[1,25623960,"no recovery target specified","2026-01-31T12:00:00+00:00","node2"]]`. */
export const historyCodec: Codec<readonly HistoryEntry[]> = jsonCodec(
  z.array(historyEntrySchema),
  (entries) =>
    entries.map(({ timeline, lsn, reason, timestamp, leader }) => {
      if (timestamp === undefined) return [timeline, lsn, reason];
      return leader === undefined
        ? [timeline, lsn, reason, timestamp]
        : [timeline, lsn, reason, timestamp, leader];
    }),
);

const syncSchema = z
  .object({
    leader: z.string().nullish(),
    sync_standby: z.union([z.string(), z.array(z.string())]).nullish(),
    quorum: z.int().nonnegative().nullish(),
    version: z.int().nonnegative().nullish(),
  })
  .transform(({ leader, sync_standby, quorum, version }): SyncKey => {
    const standbys = typeof sync_standby === 'string' ? splitNames(sync_standby) : sync_standby;
    return {
      leader: orUndefined(leader),
      standbys: standbys ?? [],
      quorum: quorum ?? 0,
      version: version ?? 0,
    };
  });

/**
 * Key `sync`: `{"leader":"node1","sync_standby":"node2,node3","quorum":0,"version":7}`. Old Patroni wrote a
 * list; `version` is ours, and Patroni, which leaves out what it does not know, writes the key without it.
 */
export const syncCodec: Codec<SyncKey> = jsonCodec(syncSchema, (sync) => ({
  leader: sync.leader ?? null,
  sync_standby: sync.standbys.length > 0 ? sync.standbys.join(',') : null,
  quorum: sync.quorum,
  version: sync.version > 0 ? sync.version : undefined,
}));

/** Key `failsafe`: `{"node1":"http://10.0.0.1:8008/patroni"}`. */
export const failsafeCodec: Codec<Readonly<Record<string, string>>> = jsonCodec(
  z.record(z.string(), z.string()),
  (members) => members,
);

/** Key `config` and `events/…`. */
export const objectCodec: Codec<JsonObject> = jsonCodec(objectField, (config) => config);

/** Key `initialize`: empty while a bootstrap runs, then the system identifier. */
export const initializeCodec = textCodec(/^\d*$/, 'a system identifier or nothing');

/** Key `leader`: a member's name. */
export const leaderCodec = textCodec(/./, 'a member name');
