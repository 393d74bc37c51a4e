/** The first lines of postmaster.pid. Source: src/include/utils/pidfile.h. */
export interface PostmasterPidFile {
  readonly pid: number;
  readonly dataDir: string;
  /** Seconds since the epoch, wall clock of the host. */
  readonly startedAtSeconds: number;
}

/** Undefined when the file is being written, is a single-user server's, or is not understood. */
export function parsePostmasterPid(text: string): PostmasterPidFile | undefined {
  const [first, second, third] = text.split('\n');
  const pid = Number(first);
  const startedAtSeconds = Number(third);
  if (!Number.isSafeInteger(pid) || pid <= 1 || second === undefined || second === '') {
    return undefined;
  }
  return {
    pid,
    dataDir: second,
    startedAtSeconds: Number.isFinite(startedAtSeconds) ? startedAtSeconds : 0,
  };
}
