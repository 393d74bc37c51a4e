import {
  chmod,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Context } from './context.ts';
import { errnoOf, messageOf } from './thrown.ts';
import {
  exists,
  isWritable,
  makePrivateDirectory,
  randomSuffix,
  syncDirectory,
} from './durable-files.ts';
import { MARKER, UnfinishedMarker, endOrphan, readMarker } from './unfinished.ts';
import type { Work } from './unfinished.ts';

/**
 * Entries of this name inside a data directory are ours. pg_basebackup leaves out whatever begins
 * with pgsql_tmp, so that what is set aside within a mount point is never copied to a clone.
 */
const NESTED_PREFIX = 'pgsql_tmp.pgbaton-';
const DATA_DIRECTORY_MODE = 0o700;
const STAGING = { clone: 'cloning', initialise: 'initialising' } as const;

export const isNested = (name: string): boolean => name.startsWith(NESTED_PREFIX);

/** Whether things are put beside the data directory, or, where it is a mount point, inside it. */
export type Placement =
  | { readonly kind: 'beside'; readonly path: string }
  | { readonly kind: 'inside'; readonly path: string };

async function isMountPoint(path: string): Promise<boolean> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  // Blanks in mount points are written as \040: proc(5).
  const escaped = path.replace(/[ \t\n\\]/g, (character) => {
    return `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`;
  });
  return mounts.split('\n').some((line) => line.split(' ')[4] === escaped);
}

/** The data directory, symbolic links resolved, and where its neighbours may be put. */
export async function placementOf(context: Context): Promise<Placement> {
  const { dataDir } = context.settings();
  if (!(await exists(dataDir))) await mkdir(dirname(dataDir), { recursive: true });
  const path = await realpath(dataDir).catch(() => dataDir);
  const movable = !(await isMountPoint(path)) && (await isWritable(dirname(path)));
  return { kind: movable ? 'beside' : 'inside', path };
}

export const neighbour = (placement: Placement, suffix: string): string =>
  placement.kind === 'beside'
    ? `${placement.path}.${suffix}`
    : join(placement.path, `${NESTED_PREFIX}${suffix}`);

/** Neighbours with names that begin with the suffix, oldest first when the suffix is a time. */
export async function listNeighbours(
  placement: Placement,
  pattern: RegExp,
): Promise<readonly string[]> {
  const beside = placement.kind === 'beside';
  const parent = beside ? dirname(placement.path) : placement.path;
  const prefix = beside ? `${basename(placement.path)}.` : NESTED_PREFIX;
  const names = await readdir(parent).catch(() => []);
  return names
    .filter((name) => name.startsWith(prefix) && pattern.test(name.slice(prefix.length)))
    .sort()
    .map((name) => join(parent, name));
}

/** Moves all entries but our own from one directory into another of the same filesystem. */
export async function moveContent(from: string, to: string): Promise<void> {
  for (const name of await readdir(from)) {
    if (isNested(name) || name === MARKER) continue;
    await rename(join(from, name), join(to, name));
  }
  await syncDirectory(to);
  await syncDirectory(from);
}

/** Where links of a data directory lead: pg_wal and the tablespaces. */
export async function linkedDirectories(dataDir: string): Promise<readonly string[]> {
  const tablespaces = await readdir(join(dataDir, 'pg_tblspc')).catch(() => []);
  const links = ['pg_wal', ...tablespaces.map((name) => join('pg_tblspc', name))];
  const targets = await Promise.all(
    links.map((name) => readlink(join(dataDir, name)).catch(() => undefined)),
  );
  return targets.filter((target) => target !== undefined);
}

/** A half-made data directory of ours, until it is complete. */
export interface Staging {
  /** Does not exist yet: initdb and pg_basebackup make it. */
  readonly dataDir: string;
  /** Notes the tool at work in the marker. */
  readonly recordProcess: (pid: number) => void;
  /** Moves the complete directory into place. */
  readonly complete: () => Promise<void>;
  /** Removes all of it, and what the tools left in the directories it links to. */
  readonly discard: () => Promise<void>;
}

async function removeStaging(staging: string): Promise<void> {
  // pg_basebackup demanded these to be empty or absent: what is in them now came from it.
  for (const linked of await linkedDirectories(join(staging, 'data'))) {
    const names = await readdir(linked).catch(() => []);
    await Promise.all(
      names.map((name) => rm(join(linked, name), { recursive: true, force: true })),
    );
  }
  await rm(staging, { recursive: true, force: true, maxRetries: 3 });
  await syncDirectory(dirname(staging));
}

/** Removes what an agent that died left half-made: proved ours by its name and the marker within. */
async function removeStaleStagings(context: Context, placement: Placement): Promise<void> {
  for (const path of await listNeighbours(placement, /^(?:cloning|initialising)-[0-9a-f]{12}$/)) {
    const marker = await readMarker(path);
    if (marker === undefined) {
      // Killed between the making of the directory and its marker: then it is empty.
      await rmdir(path).catch(() => undefined);
      continue;
    }
    await endOrphan(context, marker);
    context.logger.log('info', 'removing a half-made data directory', { path, work: marker.work });
    await removeStaging(path);
  }
}

/** One rename, unless the directory itself cannot be replaced: then entry by entry, under a marker. */
async function moveIntoPlace(
  context: Context,
  placement: Placement,
  work: Work,
  complete: string,
): Promise<void> {
  if (placement.kind === 'beside') {
    try {
      await rename(complete, placement.path);
      await syncDirectory(dirname(placement.path));
      return;
    } catch (error) {
      if (!['EBUSY', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
    }
  }
  const marker = await UnfinishedMarker.place(context, placement.path, work, placement.path);
  await chmod(placement.path, DATA_DIRECTORY_MODE);
  await moveContent(complete, placement.path);
  await marker.remove();
}

/** Makes room for a new data directory; the data directory itself must be absent or empty. */
export async function openStaging(
  context: Context,
  work: Extract<Work, 'clone' | 'initialise'>,
): Promise<Staging> {
  const placement = await placementOf(context);
  await removeStaleStagings(context, placement);
  const staging = neighbour(placement, `${STAGING[work]}-${randomSuffix()}`);
  await makePrivateDirectory(staging);
  const marker = await UnfinishedMarker.place(context, staging, work, placement.path);
  const dataDir = join(staging, 'data');
  return {
    dataDir,
    recordProcess: (pid) => marker.recordProcess(pid),
    async complete() {
      await marker.settled();
      await syncDirectory(dataDir);
      await moveIntoPlace(context, placement, work, dataDir);
      await rm(staging, { recursive: true, force: true });
    },
    async discard() {
      try {
        await marker.settled();
        await removeStaging(staging);
      } catch (error) {
        context.logger.log('error', 'a half-made data directory could not be removed', {
          path: staging,
          error: messageOf(error),
        });
      }
    },
  };
}
