import { readdir, readFile, readlink } from 'node:fs/promises';

/**
 * Start time of a process in clock ticks since boot, from field 22 of /proc/<pid>/stat (proc(5)):
 * with the pid it names a process for good. Undefined when it is gone, or there is no /proc.
 */
export async function startTicks(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command in parentheses may hold blanks and parentheses itself.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** A zombie holds nothing any more. */
async function isZombie(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
}

async function isServerIn(pid: number, directory: string): Promise<boolean> {
  try {
    if ((await readlink(`/proc/${pid}/cwd`)) !== directory) return false;
    const command = (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
    return command.startsWith('postgres') || command.startsWith('postmaster');
  } catch {
    return false;
  }
}

/** Whether this process is a PostgreSQL process that works in the directory (its real path). */
export async function isLiveServer(pid: number, directory: string): Promise<boolean> {
  return (await isServerIn(pid, directory)) && !(await isZombie(pid));
}

/** Every PostgreSQL process that works in the directory, orphaned backends among them. */
export async function serversIn(directory: string): Promise<readonly number[]> {
  const entries = await readdir('/proc').catch(() => []);
  const pids = entries.filter((entry) => /^\d+$/.test(entry)).map(Number);
  const checked = await Promise.all(
    pids.map(async (pid) => ((await isLiveServer(pid, directory)) ? [pid] : [])),
  );
  return checked.flat();
}
