import type { Result } from '../core/result.ts';
import type { CommandContext } from './context.ts';
import type { MemberAddress } from './rest.ts';

const READ_TIMEOUT_MILLIS = 3_000;

/** What a schema of `src/wire/rest` offers. */
interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false };
}

/** Asks one member for a document; the error is one line for people. */
export async function readFromMember<T>(
  context: CommandContext,
  member: MemberAddress,
  path: string,
  schema: Schema<T>,
): Promise<Result<T, string>> {
  const answer = await context.rest.send(member, {
    method: 'GET',
    path,
    timeoutMillis: READ_TIMEOUT_MILLIS,
  });
  if (!answer.ok) return { ok: false, error: `unreachable: ${answer.error.message}` };
  const { status, json } = answer.value;
  const parsed = schema.safeParse(json);
  if (parsed.success) return { ok: true, value: parsed.data };
  const reason = status === 200 ? 'an answer that cannot be read' : `status ${status}`;
  return { ok: false, error: `${path} gives ${reason}; is another version running there?` };
}
