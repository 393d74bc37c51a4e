import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { done, fail } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { Context } from './context.ts';
import { exists, makePrivateDirectory, removeDurably } from './durable-files.ts';
import { inspectDataDirectory } from './inspect.ts';
import { isNested } from './placement.ts';
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
 * Clears away what unfinished work of ours left, by setting it aside: a half-rewound directory may
 * hold what exists nowhere else, and in a half-made one an operator may have put something since.
 */
export async function clearUnfinished(context: Context): Promise<Result<void>> {
  const { dataDir, replicaMethods } = context.settings();
  const ofMethod = await readMarkerOfMethod(context);
  const marker = ofMethod ?? (await readMarker(dataDir));
  if (marker === undefined) return done;
  await endOrphan(context, marker);
  const delta = replicaMethods.some((method) => method !== 'basebackup' && method.keepData);
  // The data were kept on purpose, and the command can go on from them.
  if (ofMethod !== undefined && delta) return done;
  if (await exists(dataDir)) {
    const aside = await setAside(context, `unfinished ${marker.work}`);
    if (!aside.ok) return aside;
  }
  await removeDurably(join(context.stateDir, MARKER));
  return done;
}
