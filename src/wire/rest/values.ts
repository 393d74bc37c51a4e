import { z } from 'zod';
import { JSON_DEPTH_MAX } from '../../core/json.ts';
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

function isJson(value: unknown, depth: number): value is Json {
  if (value === null) return true;
  if (typeof value !== 'object') {
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  }
  return (
    depth < JSON_DEPTH_MAX && Object.values(value).every((member) => isJson(member, depth + 1))
  );
}

const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && !Array.isArray(value) && value !== null && isJson(value, 0);

export const jsonObject = z.custom<JsonObject>(isJsonObject, {
  error: 'expected a JSON object without deep nesting and huge integers',
});

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
