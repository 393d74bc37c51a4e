import { z } from 'zod';

const identity = z.object({
  systemid: z.string().regex(/^\d+$/),
  timeline: z.coerce.number().int(),
});

export interface SystemIdentity {
  readonly systemIdentifier: string;
  readonly timeline: number;
}

/** A row of IDENTIFY_SYSTEM. Source: documentation, "Streaming Replication Protocol". */
export function parseIdentityRow(row: unknown): SystemIdentity | undefined {
  const parsed = identity.safeParse(row);
  if (!parsed.success) return undefined;
  return { systemIdentifier: parsed.data.systemid, timeline: parsed.data.timeline };
}

const history = z.object({ content: z.union([z.string(), z.instanceof(Uint8Array)]) });

/** The text of TIMELINE_HISTORY: declared as bytea by older servers, as text by newer ones. */
export function parseHistoryRow(row: unknown): string | undefined {
  const parsed = history.safeParse(row);
  if (!parsed.success) return undefined;
  const { content } = parsed.data;
  return typeof content === 'string' ? content : new TextDecoder().decode(content);
}
