import { z } from 'zod';
import { jsonObject, optionalText } from './values.ts';

/**
 * Bodies of the commands, as Patroni 4.1 takes them (unknown keys are ignored, null is "not given").
 */

/** POST /switchover and /failover. `member` is the old name of `candidate`. */
export const failoverBody = z
  .object({
    leader: optionalText,
    candidate: optionalText,
    member: optionalText,
    scheduled_at: optionalText,
    holder_is_down: z.boolean().nullish(),
  })
  .transform(({ leader, candidate, member, scheduled_at, holder_is_down }) => ({
    leader,
    candidate: candidate ?? member,
    scheduledAt: scheduled_at,
    holderIsDown: holder_is_down === true,
  }));

/** POST /abandon: what no machine can know, an operator has to answer for. */
export const abandonBody = z.object({
  holder_is_down: z.literal(true, {
    error:
      'expected "holder_is_down": true, which says that Postgres of the holder is certainly down',
  }),
});

const ROLES = ['primary', 'master', 'standby_leader', 'replica'] as const;

/** Seconds, or text with a unit (`30s`, `500ms`, `2min`, `1h`, `1d`). */
const durationMillis = z.union([z.number(), z.string()]).transform((value, context): number => {
  const millis = typeof value === 'number' ? value * 1000 : parseDurationMillis(value);
  if (millis !== undefined && Number.isFinite(millis) && millis > 0) return millis;
  context.addIssue({ code: 'custom', message: 'Timeout should be a positive number of seconds' });
  return z.NEVER;
});

const UNIT_MILLIS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  '': 1000,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function parseDurationMillis(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/.exec(text);
  const unit = match === null ? undefined : UNIT_MILLIS[match[2] ?? ''];
  return unit === undefined || match === null ? undefined : Number(match[1]) * unit;
}

/** POST /restart. Unknown keys are errors: a filter that is not understood must not be dropped. */
export const restartBody = z
  .strictObject({
    schedule: optionalText,
    role: z
      .enum(ROLES, {
        error: 'PostgreSQL role should be either primary, standby_leader, or replica',
      })
      .nullish(),
    postgres_version: z
      .string()
      .regex(/^\d{1,3}\.\d{1,3}(\.\d{1,3})?$/, 'expected a version like 15.2 or 9.6.3')
      .nullish(),
    timeout: durationMillis.nullish(),
    restart_pending: z.unknown().optional(),
  })
  .transform((body) => ({
    schedule: body.schedule,
    role: body.role === 'master' ? ('primary' as const) : (body.role ?? undefined),
    postgresVersion: body.postgres_version ?? undefined,
    timeoutMillis: body.timeout ?? undefined,
    // Patroni takes the mere presence for yes; an explicit no is honoured here.
    onlyIfPending: body.restart_pending !== undefined && !isNo(body.restart_pending),
  }));

const isNo = (value: unknown): boolean => value === false || value === null;

/** POST /reinitialize. Patroni documents `from-leader` and reads `from_leader`: both are taken. */
export const reinitializeBody = z
  .object({
    force: z.boolean().nullish(),
    from_leader: z.boolean().nullish(),
    'from-leader': z.boolean().nullish(),
  })
  .transform((body) => ({
    force: body.force === true,
    fromLeader: (body.from_leader ?? body['from-leader']) === true,
  }));

/** PATCH and PUT /config. */
export const configBody = jsonObject;

/**
 * Answer to a command when the caller asks for `application/json`; without that header only
 * `message` comes, as plain text, as Patroni answers.
 */
export const commandDocument = z.object({
  outcome: z.enum(['done', 'accepted', 'refused', 'failed']),
  message: z.string(),
  /** Why it was refused. */
  cause: z.enum(['precondition', 'invalid', 'busy', 'conflict', 'not-configured']).optional(),
  /** For example `write_gap_ms` of a switchover. */
  details: jsonObject.optional(),
});
export type CommandDocument = z.infer<typeof commandDocument>;

/** Body of every answer that is an error and not the outcome of a command. */
export const errorDocument = z.object({ error: z.string(), message: z.string() });
