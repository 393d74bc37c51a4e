import { z } from 'zod';

const schema = z.object({
  work: z.enum(['clone', 'initialise', 'rewind']),
  startedAt: z.string(),
  /** The directory that is unfinished. */
  dataDir: z.string(),
  /** The tool that does the work: an agent that died left it running. */
  process: z.object({ pid: z.number().int().positive(), startTicks: z.string() }).optional(),
});

/** What the marker file `pgbaton.unfinished` says. */
export type Unfinished = z.infer<typeof schema>;

/** Undefined when it is no marker, for example cut off by a crash. */
export function parseUnfinished(text: string): Unfinished | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

export const writeUnfinished = (value: Unfinished): string => `${JSON.stringify(value)}\n`;
