import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findServer, targetOf } from '../../guardian/fence.ts';
import type { ProcessFacts, ProcessIdentity } from '../../guardian/procfs.ts';
import { findRunning, readProcess, worksIn } from '../../guardian/procfs.ts';

/** The process that `<dataDir>/postmaster.pid` names, when it really is one of this data directory. */
function readPidFile(dataDir: string): ProcessFacts | undefined {
  try {
    const pid = Number(readFileSync(join(dataDir, 'postmaster.pid'), 'latin1').split('\n')[0]);
    const directory = targetOf(dataDir, undefined).directory;
    const facts = Number.isInteger(pid) && pid > 0 ? readProcess(pid) : undefined;
    if (facts === undefined || directory === undefined) return undefined;
    return findRunning(facts) !== undefined && worksIn(pid, directory) ? facts : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A server that runs on the data directory; the postmaster if there is one. What this very process
 * has started is no such server but a job, for example single-user recovery.
 */
export function findForeign(dataDir: string): ProcessIdentity | undefined {
  const named = readPidFile(dataDir);
  if (named !== undefined && named.parentPid !== process.pid) return named;
  const jobs = new Set<number>();
  // Parents come before their children.
  for (const facts of findServer(targetOf(dataDir, undefined))) {
    if (facts.parentPid !== process.pid && !jobs.has(facts.parentPid)) return facts;
    jobs.add(facts.pid);
  }
  return undefined;
}
