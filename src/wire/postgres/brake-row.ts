import { z } from 'zod';

const row = z.object({ pid: z.number().int(), standby: z.boolean() });

/** The session whose commit is to be seen waiting; undefined: not understood. */
export function parseBrakeRow(candidate: unknown): z.infer<typeof row> | undefined {
  const parsed = row.safeParse(candidate);
  return parsed.success ? parsed.data : undefined;
}
