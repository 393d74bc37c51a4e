import { lstat, mkdir, readdir, readlink, rename, rm, symlink, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fail, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { Context } from './context.ts';
import { messageOf } from './thrown.ts';
import { makePrivateDirectory, removeDurably, syncDirectory } from './durable-files.ts';
import {
  linkedDirectories,
  listNeighbours,
  moveContent,
  neighbour,
  placementOf,
} from './placement.ts';
import type { Placement } from './placement.ts';
import { requireDown } from './postmaster.ts';
import { MARKER, readMarkerOfMethod } from './unfinished.ts';

const KEPT_ASIDE = 2;
const ASIDE = /^aside-\d{8}T\d{9}Z-/;
const REASON_LENGTH_MAX = 40;

/** `20260522T101500123Z`: sorts by time, fits into a file name. */
export const fileTimestamp = (millis: number): string =>
  new Date(millis).toISOString().replace(/[-:.]/g, '');

function asideSuffix(context: Context, reason: string): string {
  const slug = reason
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, REASON_LENGTH_MAX);
  return `aside-${fileTimestamp(context.clock.wall())}-${slug === '' ? 'set-aside' : slug}`;
}

/**
 * A separate WAL directory or tablespace has to move too: the next clone wants its place empty.
 * The link is changed first to where the directory will be, so that the whole stays usable.
 */
async function setLinkAside(link: string, suffix: string): Promise<void> {
  const target = await readlink(link).catch(() => undefined);
  if (target === undefined) return;
  const aside = `${target}.${suffix}`;
  const { mode } = await lstat(target);
  await rename(target, aside);
  await mkdir(target, { mode: mode & 0o777 });
  await unlink(link);
  await symlink(aside, link);
  await syncDirectory(dirname(target));
  await syncDirectory(dirname(link));
}

async function setLinksAside(dataDir: string, suffix: string): Promise<void> {
  await setLinkAside(join(dataDir, 'pg_wal'), suffix);
  const tablespaces = await readdir(join(dataDir, 'pg_tblspc')).catch(() => []);
  for (const name of tablespaces) await setLinkAside(join(dataDir, 'pg_tblspc', name), suffix);
}

async function moveAside(placement: Placement, target: string): Promise<void> {
  if (placement.kind === 'beside') {
    await rename(placement.path, target);
    await syncDirectory(dirname(target));
    return;
  }
  await makePrivateDirectory(target);
  await moveContent(placement.path, target);
  // A marker speaks of what lay here; what was moved is not started from there anyway.
  await removeDurably(join(placement.path, MARKER));
}

/** Renames the data directory to `<data_dir>.aside-<time>-<reason>`; within itself where it is a mount point. */
export async function setAside(
  context: Context,
  reason: string,
): Promise<Result<{ readonly movedTo: string }>> {
  const down = await requireDown(context);
  if (!down.ok) return down;
  try {
    const placement = await placementOf(context);
    const suffix = asideSuffix(context, reason);
    const movedTo = neighbour(placement, suffix);
    await setLinksAside(placement.path, suffix);
    await moveAside(placement, movedTo);
    // The marker of a custom method lies beside: what it spoke of is not here any more.
    if ((await readMarkerOfMethod(context)) !== undefined) {
      await removeDurably(join(context.stateDir, MARKER));
    }
    context.logger.log('warn', 'data directory set aside', { movedTo, reason });
    return ok({ movedTo });
  } catch (error) {
    return fail(
      'postgres-set-aside-failed',
      `${context.settings().dataDir} could not be set aside: ${messageOf(error)}`,
      'Give the agent write permission on the parent directory, and on the parents of tablespaces and of a separate WAL directory; or move the directory away by hand.',
    );
  }
}

async function removeAside(path: string): Promise<void> {
  const suffix = `.${basename(path).slice(basename(path).indexOf('aside-'))}`;
  for (const linked of await linkedDirectories(path)) {
    if (linked.endsWith(suffix)) await rm(linked, { recursive: true, force: true });
  }
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}

/** Deletes all but the newest few; only to be called when a newer directory is complete and in place. */
export async function pruneAsides(context: Context): Promise<void> {
  const asides = await listNeighbours(await placementOf(context), ASIDE);
  for (const path of asides.slice(0, Math.max(0, asides.length - KEPT_ASIDE))) {
    context.logger.log('info', 'removing an old directory that was set aside', { path });
    await removeAside(path);
  }
}

/**
 * pg_rewind removes whatever the source does not have. Directories set aside within a mount point
 * would be removed half, or stop it; a newer clone has superseded them, so they go as a whole.
 */
export async function removeNestedAsides(context: Context): Promise<void> {
  const placement = await placementOf(context);
  if (placement.kind === 'beside') return;
  for (const path of await listNeighbours(placement, ASIDE)) {
    context.logger.log('warn', 'removing a directory set aside, which is in the way of a rewind', {
      path,
    });
    await removeAside(path);
  }
}
