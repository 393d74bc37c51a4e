import { z } from 'zod';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';

/** One key as Consul's KV API lists it, the value still as bytes. */
export interface KvEntry {
  /** Full path, prefix included. */
  readonly path: string;
  readonly value: Uint8Array;
  readonly modifyIndex: number;
  readonly session: string | undefined;
}

const entrySchema = z
  .object({
    Key: z.string(),
    Value: z.base64().nullable(),
    ModifyIndex: z.int().nonnegative(),
    Session: z.string().optional(),
  })
  .transform(({ Key, Value, ModifyIndex, Session }): KvEntry => ({
    path: Key,
    value: Buffer.from(Value ?? '', 'base64'),
    modifyIndex: ModifyIndex,
    session: Session === '' ? undefined : Session,
  }));

const listSchema = z.array(entrySchema);

/** Body of `GET /v1/kv/<prefix>?recurse`, parsed from JSON. */
export function decodeKvList(body: unknown): Result<readonly KvEntry[], string> {
  const outcome = listSchema.safeParse(body);
  return outcome.success ? ok(outcome.data) : err('not a list of Consul keys');
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Undefined when the bytes are no UTF-8. */
export function textOf(value: Uint8Array): string | undefined {
  try {
    return utf8.decode(value);
  } catch {
    return undefined;
  }
}
