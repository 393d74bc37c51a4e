import { z } from 'zod';

/** `state.json` beside the data directory: what a host must not forget. */
export const hostStateSchema = z.object({
  floor: z.object({ n: z.int().nonnegative(), id: z.string().optional() }),
  promotions: z.array(
    z.object({ id: z.string(), timeline: z.int().positive(), switch_lsn: z.string() }),
  ),
  followed: z
    .object({
      id: z.string(),
      timeline: z.int().positive(),
      from: z.string().optional(),
      guessed_from: z.string().optional(),
      lineage: z.array(z.object({ id: z.string(), timeline: z.int().positive() })).optional(),
    })
    .optional(),
  system_identifier: z.string().optional(),
  founding: z.string().optional(),
  led: z.array(z.string()).optional(),
  paused: z
    .object({ n: z.int().nonnegative(), id: z.string(), beat: z.int().nonnegative() })
    .optional(),
  sync: z
    .object({
      n: z.int().nonnegative(),
      key: z.object({
        leader: z.string().optional(),
        standbys: z.array(z.string()),
        quorum: z.int().nonnegative(),
        version: z.int().nonnegative(),
      }),
    })
    .optional(),
});
