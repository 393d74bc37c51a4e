import { nearest } from '../config/suggest.ts';

/** `Did you mean "x"?`, or the list of what there is. */
export function suggestion(name: string, known: readonly string[], what: string): string {
  const meant = nearest(name, known);
  if (meant !== undefined) return `Did you mean "${meant}"?`;
  return known.length === 0 ? `There are no ${what}.` : `The ${what} are: ${known.join(', ')}.`;
}
