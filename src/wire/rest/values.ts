import { z } from 'zod';
import type { Json, JsonObject } from '../../core/json.ts';
import { lsn, parseLsn, type Lsn } from '../../core/lsn.ts';

/** `16/B374D848` */
export const lsnText = z.string().transform((text, context): Lsn => {
  const position = parseLsn(text);
  if (position !== undefined) return position;
  context.addIssue({ code: 'custom', message: 'no log position of the form X/Y' });
  return z.NEVER;
});

/** A position as Patroni writes it in most places: an integer of bytes, as `parseJsonText` reads it. */
export const lsnInteger = z
  .union([z.number().int().nonnegative(), z.bigint().nonnegative()])
  .transform((bytes): Lsn => lsn(BigInt(bytes)));

const json: z.ZodType<Json> = z.lazy(() =>
  z.union([
    z.null(),
    z.boolean(),
    z.number(),
    z.string(),
    z.array(json),
    z.record(z.string(), json),
  ]),
);

export const jsonObject: z.ZodType<JsonObject> = z.record(z.string(), json);

/** Absent and null mean the same: clients write either for "not given". */
export const optionalText = z
  .string()
  .nullish()
  .transform((text) => (text === null || text === '' ? undefined : text));

/** First problem of a body in one line, for people. */
export function describeProblem(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'invalid';
  const path = issue.path.map(String).join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}
