import { done, fail } from '../../src/core/result.ts';
import type { Result } from '../../src/core/result.ts';
import type { JobOptions } from '../../src/ports/postgres.ts';
import type { ClusterDisk } from './disk.ts';
import type { Machine } from './model.ts';
import type { SimProcess } from './process.ts';
import { findServer } from './receiver.ts';
import { FIRST_LSN, leftByNumber, switchesOf } from './wal.ts';
import type { Branch } from './wal.ts';

/** pg_basebackup, pg_rewind and initdb: children of the agent, which end with it. */

const unanswered = (source: string): Result<never> =>
  fail('postgres-source-unanswered', `${source} does not answer`);

/** The server behind an upstream, when it can be reached and asked from this host. */
export function sourceOf(host: Machine, address: string): Machine | undefined {
  const server = findServer(host, address);
  return server?.serving === true && server.consistent ? server.host : undefined;
}

const pause = (agent: SimProcess, millis: number): Promise<void> =>
  agent.answer(millis, () => undefined);

export async function initialise(host: Machine, agent: SimProcess): Promise<Result<void>> {
  const { world } = host;
  if (host.disk.kind !== 'absent') return fail('postgres-data-there', 'not empty');
  host.disk = { kind: 'unfinished', work: 'initialise', systemIdentifier: undefined };
  await pause(agent, 300 + world.chance() * 1200);
  if (world.chance() < host.trouble.cloneFailShare || host.trouble.diskFull) {
    host.disk = { kind: 'absent' };
    return fail('postgres-initdb-failed', 'initdb failed');
  }
  const branch = world.newBranch(1, undefined);
  host.postgres.replication.forgetSlots();
  host.disk = {
    kind: 'cluster',
    systemIdentifier: world.newSystemIdentifier(),
    state: 'shut down',
    branch,
    end: FIRST_LSN,
    oldestWal: FIRST_LSN,
    highestTimeline: 1,
    checkpointTimeline: 1,
    checkpointLsn: FIRST_LSN,
    consistentFrom: FIRST_LSN,
    standbySignal: false,
    backupLabel: false,
  };
  return done;
}

/** The old directory is given up only when the copy is complete. */
export async function clone(
  host: Machine,
  agent: SimProcess,
  sourceName: string,
  options: JobOptions,
): Promise<Result<void>> {
  const { world } = host;
  if (host.postgres.up) return fail('postgres-running', 'Postgres runs');
  const source = sourceOf(host, sourceName);
  if (source === undefined) return unanswered(sourceName);
  const { pid } = source.postgres;
  await pause(agent, 300 + world.chance() * 2500);
  const reachable = sourceOf(host, sourceName) === source && source.postgres.pid === pid;
  if (options.signal.aborted) return fail('postgres-job-aborted', 'clone was aborted');
  const fails = world.chance() < host.trouble.cloneFailShare || host.trouble.diskFull;
  if (!reachable || fails) {
    return fail('postgres-clone-failed', `pg_basebackup from ${sourceName} failed`);
  }
  const copied = source.postgres.disk();
  await pause(agent, 5 + world.chance() * 20);
  host.disk = {
    ...copied,
    state: 'in production',
    consistentFrom: copied.end,
    oldestWal: copied.end,
    standbySignal: true,
    backupLabel: true,
  };
  host.postgres.replication.forgetSlots();
  world.trace(host.address, `cloned from ${sourceName} (branch ${copied.branch.serial})`);
  return done;
}

/** Both have been on the same timelines for so long, says pg_rewind, which knows but numbers. */
function commonByNumber(target: Branch, source: Branch): Branch | undefined {
  const theirs = [...switchesOf(source).map((entry) => entry.parent), source.timeline];
  const beginsAt = (branch: Branch, timeline: number): bigint | undefined => {
    for (let at: Branch | undefined = branch; at !== undefined; at = at.parent?.branch) {
      if (at.timeline === timeline) return at.parent?.at ?? 0n;
    }
    return undefined;
  };
  for (let at: Branch | undefined = target; at !== undefined; at = at.parent?.branch) {
    if (
      theirs.includes(at.timeline) &&
      beginsAt(target, at.timeline) === beginsAt(source, at.timeline)
    )
      return at;
  }
  return undefined;
}

export async function rewind(
  host: Machine,
  agent: SimProcess,
  sourceName: string,
): Promise<Result<void>> {
  const { world, disk } = host;
  if (host.postgres.up) return fail('postgres-running', 'Postgres runs');
  if (disk.kind !== 'cluster') return fail('postgres-data-unfinished', 'half done before');
  if (disk.state !== 'shut down' && disk.state !== 'shut down in recovery') {
    return fail('postgres-not-shut-down-cleanly', `the control file says "${disk.state}"`);
  }
  await pause(agent, 50 + world.chance() * 100);
  const source = sourceOf(host, sourceName);
  if (source === undefined) return unanswered(sourceName);
  const theirs = source.postgres.disk();
  if (theirs.systemIdentifier !== disk.systemIdentifier)
    return fail('postgres-rewind-not-begun', 'different system identifiers');
  const refused = refusalOf(host, disk, theirs);
  if (refused !== undefined) return refused;
  host.disk = {
    kind: 'unfinished',
    work: 'rewind',
    systemIdentifier: disk.systemIdentifier,
  };
  await pause(agent, 200 + world.chance() * 1500);
  const reachable = sourceOf(host, sourceName) === source;
  const fails = world.chance() < host.trouble.rewindFailShare || host.trouble.diskFull;
  if (!reachable || fails) {
    return fail('postgres-rewind-broken-off', `pg_rewind from ${sourceName} broke off`);
  }
  const copied = source.postgres.disk();
  await pause(agent, 5 + world.chance() * 40);
  if (sourceOf(host, sourceName) !== source)
    return fail('postgres-rewind-broken-off', `pg_rewind from ${sourceName} broke off`);
  host.disk = {
    ...copied,
    state: 'in archive recovery',
    consistentFrom: source.postgres.disk().end,
    standbySignal: true,
    backupLabel: true,
  };
  host.postgres.replication.forgetSlots();
  world.trace(host.address, `rewound to ${sourceName} (branch ${copied.branch.serial})`);
  return done;
}

function refusalOf(
  host: Machine,
  own: ClusterDisk,
  theirs: ClusterDisk,
): Result<never> | undefined {
  if (own.checkpointTimeline === theirs.checkpointTimeline) {
    host.disk = { ...own, standbySignal: true };
    return fail('postgres-rewind-blind', 'source and target are on the same timeline');
  }
  const common = commonByNumber(own.branch, theirs.branch);
  if (common === undefined) return fail('postgres-rewind-not-begun', 'no common ancestor');
  const left = leftByNumber(common.timeline, theirs.branch);
  const trulyShared = isAncestor(common, theirs.branch);
  if (!trulyShared && left !== 'current') {
    host.world.violation(
      'E',
      `${host.address} is rewound to a point on timeline ${common.timeline} that it does not share`,
    );
  }
  return undefined;
}

function isAncestor(branch: Branch, of: Branch): boolean {
  for (let at: Branch | undefined = of; at !== undefined; at = at.parent?.branch) {
    if (at === branch) return true;
  }
  return false;
}
