import { Secret } from '../core/secret.ts';

/** Shorter ones are words like any other: hiding them would make lines unreadable and give them away. */
const SHORTEST = 6;
const DEEPEST = 8;

/** Every secret that settings hold, wherever it stands in them. */
export function secretsIn(value: unknown, depth = 0): readonly Secret[] {
  if (value instanceof Secret) return [value];
  if (typeof value !== 'object' || value === null || depth > DEEPEST) return [];
  return Object.values(value).flatMap((member) => secretsIn(member, depth + 1));
}

/**
 * Takes known secrets out of a whole line, as they are and as JSON writes them: the last defence, for
 * texts of libraries and of other programs that repeat what they were given.
 */
export function hiderOf(secrets: readonly Secret[]): (line: string) => string {
  const texts = secrets.map((secret) => secret.reveal()).filter(({ length }) => length >= SHORTEST);
  const forms = texts.flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    encodeURIComponent(text),
  ]);
  // The longest first: one may be part of another.
  const hidden = [...new Set(forms)].toSorted((a, b) => b.length - a.length);
  return (line) => hidden.reduce((text, form) => text.replaceAll(form, '[redacted]'), line);
}
