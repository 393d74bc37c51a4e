/** Kilobytes done and expected. */
export interface CopyProgress {
  readonly done: number;
  readonly total: number | undefined;
}

/** `  123456/789012 kB (15%), 0/1 tablespace` of pg_basebackup or `123/456 kB (26%) copied` of pg_rewind. */
export function parseCopyProgress(line: string): CopyProgress | undefined {
  const match = /(\d+)\/(\d+) kB/.exec(line);
  if (match === null) return undefined;
  const total = Number(match[2]);
  return { done: Number(match[1]), total: total === 0 ? undefined : total };
}
