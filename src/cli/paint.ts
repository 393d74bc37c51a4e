/** Colours for people; every function returns the text unchanged when colours are off. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
}

const code = (open: number, close: number, enabled: boolean) => (text: string) =>
  enabled && text !== '' ? `\u001B[${open}m${text}\u001B[${close}m` : text;

export function createPaint(enabled: boolean): Paint {
  return {
    bold: code(1, 22, enabled),
    dim: code(2, 22, enabled),
    red: code(31, 39, enabled),
    green: code(32, 39, enabled),
    yellow: code(33, 39, enabled),
    cyan: code(36, 39, enabled),
  };
}

/**
 * Whether a stream gets colours: only a terminal, not with --no-color, a non-empty NO_COLOR
 * (no-color.org) or TERM=dumb.
 */
export function wantsColor(
  isTty: boolean,
  noColor: boolean,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (noColor || !isTty || env['TERM'] === 'dumb') return false;
  return env['NO_COLOR'] === undefined || env['NO_COLOR'] === '';
}
