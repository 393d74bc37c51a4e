import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { done, fail } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { Context } from './context.ts';
import { makePrivateDirectory } from './durable-files.ts';
import { inspectDataDirectory } from './inspect.ts';
import { isNested } from './placement.ts';
import { requireDown } from './postmaster.ts';
import { setAside } from './set-aside.ts';
import {
  MARKER,
  UnfinishedMarker,
  endOrphan,
  readMarker,
  readMarkerOfMethod,
} from './unfinished.ts';
import type { Work } from './unfinished.ts';

async function removeContent(dataDir: string): Promise<void> {
  const names = await readdir(dataDir).catch(() => []);
  for (const name of names.filter((entry) => !isNested(entry))) {
    await rm(join(dataDir, name), { recursive: true, force: true });
  }
}

/**
 * Work of an operator's command in the data directory itself, under a marker beside it: restore
 * tools have the path in their own configuration, and want it empty or as it was.
 */
export async function runInPlace(
  context: Context,
  work: Extract<Work, 'clone' | 'initialise'>,
  options: { readonly mayRemove: boolean },
  command: (onStarted: (pid: number) => void) => Promise<Result<void>>,
): Promise<Result<void>> {
  const { dataDir } = context.settings();
  const marker = await UnfinishedMarker.place(context, context.stateDir, work, dataDir);
  await makePrivateDirectory(dataDir);
  const made = await command((pid) => marker.recordProcess(pid));
  await marker.settled();
  if (!made.ok) {
    if (!options.mayRemove) return made;
    // It was empty before: all that is here came from the command.
    await removeContent(dataDir);
    await marker.remove();
    return made;
  }
  await marker.remove();
  const found = await inspectDataDirectory(context);
  if (found.kind === 'cluster') return done;
  return fail(
    'postgres-method-left-no-cluster',
    found.kind === 'unusable' ? found.reason : `the command left ${dataDir} ${found.kind}`,
    'The command has to leave a complete data directory, owned by the user of the agent.',
  );
}

/**
 * Clears away what an unfinished work of ours left: a half-made directory is worth nothing and is
 * removed, a half-rewound one is set aside, since it may hold what exists nowhere else.
 */
export async function clearUnfinished(context: Context): Promise<Result<void>> {
  const { dataDir, replicaMethods } = context.settings();
  const ofMethod = await readMarkerOfMethod(context);
  const inside = await readMarker(dataDir);
  const marker = ofMethod ?? inside;
  if (marker === undefined) return done;
  await endOrphan(context, marker);
  const down = await requireDown(context);
  if (!down.ok) return down;
  if (marker.work === 'rewind') {
    const aside = await setAside(context, 'unfinished rewind');
    return aside.ok ? done : aside;
  }
  const delta = replicaMethods.some((method) => method !== 'basebackup' && method.keepData);
  if (ofMethod !== undefined && delta) {
    // The data were kept on purpose, and the command can go on from them.
    return done;
  }
  context.logger.log('warn', 'removing a half-made data directory', { dataDir, work: marker.work });
  await removeContent(dataDir);
  await rm(join(context.stateDir, MARKER), { force: true });
  await rm(join(dataDir, MARKER), { force: true });
  return done;
}
