/** What may leave the process in a log line: no secret, no endless structure, no bigint that JSON lacks. */

const SECRET_KEY =
  /passw|passphrase|passwd|secret|token|authorization|cookie|private.?key|api.?key|credential/i;
const REDACTED = '[redacted]';
const DEEPEST = 6;
const LONGEST_LIST = 100;
const LONGEST_TEXT = 4000;

/** Passwords inside connection URLs and libpq connection strings; what is longer is cut. */
export function redactText(text: string, longest = LONGEST_TEXT): string {
  return text
    .slice(0, longest)
    .replace(/(\w:\/\/[^\s:/@]*):[^\s/@]*@/g, `$1:${REDACTED}@`)
    .replace(
      /\b(password|passwd|sslpassword|token)(\s*[=:]\s*)('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,;&]+)/gi,
      `$1$2${REDACTED}`,
    )
    .replace(/\b(basic|bearer) +[a-z0-9+/=._~-]{6,}/gi, `$1 ${REDACTED}`);
}

function redactError(error: Error, depth: number): unknown {
  return {
    type: error.name,
    message: redactText(error.message),
    ...('code' in error ? { code: String(error.code) } : {}),
    ...(error.stack === undefined ? {} : { stack: redactText(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }),
  };
}

function redactObject(value: object, depth: number): unknown {
  if (depth >= DEEPEST) return '[deep]';
  if (value instanceof Error) return redactError(value, depth);
  if (Array.isArray(value)) {
    return value.slice(0, LONGEST_LIST).map((item) => redact(item, depth + 1));
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    const plain: unknown = value.toJSON();
    return typeof plain === 'object' ? redact(plain, depth + 1) : redact(plain, depth);
  }
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value).slice(0, LONGEST_LIST)) {
    copy[key] = SECRET_KEY.test(key) ? REDACTED : redact(member, depth + 1);
  }
  return copy;
}

/** A copy that is safe to print: secrets by key and inside texts are gone, bigints are text. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'object' && value !== null) return redactObject(value, depth);
  return typeof value === 'function' || typeof value === 'symbol' ? `[${typeof value}]` : value;
}
