import { z } from 'zod';
import type { Ancestor, Generation, Lease, Release } from '../../core/cluster.ts';
import { jsonCodec, lsnField } from './codec.ts';
import type { Codec } from './codec.ts';

/**
 * Our own two keys, which no Patroni reads or writes. Fields nobody knows are ignored, so that
 * members of different versions can share a cluster.
 */

const ancestorSchema = z
  .object({
    id: z.string(),
    holder: z.string().optional(),
    timeline: z.int().nonnegative(),
    switch_lsn: lsnField,
  })
  .transform(({ switch_lsn, ...rest }): Ancestor => ({ ...rest, switchLsn: switch_lsn }));

const generationSchema = z
  .object({
    n: z.int().nonnegative(),
    id: z.string().min(1),
    holder: z.string().min(1),
    timeline: z.int().nonnegative(),
    switch_lsn: lsnField,
    ancestors: z.array(ancestorSchema).default([]),
  })
  .transform(({ switch_lsn, ...rest }): Generation => ({ ...rest, switchLsn: switch_lsn }));

const ancestorToWire = ({ id, holder, timeline, switchLsn }: Ancestor) => ({
  id,
  holder,
  timeline,
  switch_lsn: switchLsn,
});

/** Key `generation`: `{"n","id","holder","timeline","switch_lsn","ancestors":[{"id","holder","timeline","switch_lsn"}]}`. */
export const generationCodec: Codec<Generation> = jsonCodec(generationSchema, (generation) => ({
  n: generation.n,
  id: generation.id,
  holder: generation.holder,
  timeline: generation.timeline,
  switch_lsn: generation.switchLsn,
  ancestors: generation.ancestors.map(ancestorToWire),
}));

const releaseSchema = z
  .object({
    handoff: z.string().nullish(),
    lsn: lsnField.nullish(),
    exclude: z.array(z.string()).default([]),
  })
  .transform(({ handoff, lsn, exclude }): Release => ({
    handoff: handoff ?? undefined,
    lsn: lsn ?? undefined,
    exclude,
  }));

const leaseSchema = z
  .object({
    id: z.string().min(1),
    n: z.int().nonnegative(),
    incarnation: z.string().min(1),
    beat: z.int().nonnegative(),
    ttl_ms: z.number().positive(),
    reach_ms: z.number().positive().nullish(),
    paused: z.boolean().nullish(),
    released: releaseSchema.nullish(),
  })
  .transform(({ ttl_ms, reach_ms, paused, released, ...rest }): Lease => ({
    ...rest,
    ttlMillis: ttl_ms,
    reachMillis: reach_ms ?? undefined,
    paused: paused === true ? true : undefined,
    released: released ?? undefined,
  }));

/** Key `lease`: `{"id","n","incarnation","beat","ttl_ms","reach_ms","paused","released":{"handoff","lsn","exclude"}}`. */
export const leaseCodec: Codec<Lease> = jsonCodec(leaseSchema, (lease) => ({
  id: lease.id,
  n: lease.n,
  incarnation: lease.incarnation,
  beat: lease.beat,
  ttl_ms: lease.ttlMillis,
  reach_ms: lease.reachMillis,
  // Said only where it is so: as in records of agents that do not know it.
  paused: lease.paused,
  released: lease.released && {
    handoff: lease.released.handoff,
    lsn: lease.released.lsn,
    exclude: lease.released.exclude,
  },
}));
