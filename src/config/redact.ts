/*
 * What an error may show of a value. Secrets hide in three places: under keys that say so, inside
 * connection strings, and in addresses with user and password.
 */

const SECRET_KEY = /passw|token(?!s)|secret|credential/i;
const LONGEST_SHOWN = 80;

/** Whether the value of a key is never shown. */
export const isSecretPath = (path: readonly PropertyKey[]): boolean =>
  path.some((step) => SECRET_KEY.test(String(step)));

/** The value as an error names it: kind of a mapping or list, redacted text, shortened. */
export function describeValue(path: readonly PropertyKey[], value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (isSecretPath(path)) return `a hidden ${typeof value === 'string' ? 'text' : typeof value}`;
  const shown =
    typeof value === 'string' ? JSON.stringify(redactText(value)) : JSON.stringify(value);
  return shown.length > LONGEST_SHOWN ? `${shown.slice(0, LONGEST_SHOWN)}…` : shown;
}

/** Hides passwords within a text. */
function redactText(value: string): string {
  return value
    .replace(/(\/\/[^/:@\s]*):[^@\s]*@/g, '$1:[redacted]@')
    .replace(
      /((?:passw(?:or)?d|token|secret)\w*\s*[=:]\s*)('[^']*'|"[^"]*"|\S+)/gi,
      '$1[redacted]',
    );
}
