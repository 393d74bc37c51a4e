import { nearest } from '../config/suggest.ts';

const unnumbered = (name: string): string => name.replace(/\d+/g, '');

/** `Did you mean "x"?`, or the list of what there is. */
export function suggestion(name: string, known: readonly string[], what: string): string {
  const near = nearest(name, known);
  // Names that differ in their numbers are siblings, of which none is meant rather than another.
  const meant = near !== undefined && unnumbered(near) === unnumbered(name) ? undefined : near;
  if (meant !== undefined) return `Did you mean "${meant}"?`;
  return known.length === 0 ? `There are no ${what}.` : `The ${what} are: ${known.join(', ')}.`;
}
