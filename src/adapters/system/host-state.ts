import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { formatLsn, LSN_ZERO, parseLsn } from '../../core/lsn.ts';
import { done, fail, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { hostStateSchema } from '../../wire/host-state.ts';
import { NO_HOST_MEMORY } from '../../ports/host-state.ts';
import type { HostState } from '../../ports/host-state.ts';
import type { HostMemory } from '../../core/view.ts';

/**
 * `state.json` beside the data directory. Written to a new file, synced, renamed, and the directory
 * synced: what `save` answered ok for survives a crash of the host.
 */
export function createHostState(stateDir: string): HostState {
  const path = join(stateDir, 'state.json');
  let writing: Promise<unknown> = Promise.resolve();
  return {
    load: async () => load(path),
    save: async (memory) => {
      const mine = writing.then(async () => save(path, memory));
      writing = mine;
      return mine;
    },
  };
}

async function load(path: string): Promise<Result<HostMemory>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return ok(NO_HOST_MEMORY);
    return fail(
      'host-state-unreadable',
      `${path} cannot be read: ${messageOf(error)}`,
      'make the file readable for the user that runs the agent',
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = hostStateSchema.safeParse(value);
  if (!parsed.success) {
    return fail(
      'host-state-garbled',
      `${path} does not hold what pgbaton wrote`,
      'restore it from a backup; if there is none, remove it: this member then forgets the highest generation it has seen',
    );
  }
  const {
    floor,
    promotions,
    followed,
    founding,
    led,
    sync,
    paused,
    system_identifier: systemIdentifier,
  } = parsed.data;
  return ok({
    floor: { n: floor.n, id: floor.id },
    promotions: promotions.map((entry) => ({
      id: entry.id,
      timeline: entry.timeline,
      switchLsn: parseLsn(entry.switch_lsn) ?? LSN_ZERO,
    })),
    followed:
      followed === undefined
        ? undefined
        : {
            id: followed.id,
            timeline: followed.timeline,
            from: followed.from,
            lineage: followed.lineage,
            guessedFrom:
              followed.guessed_from === undefined ? undefined : parseLsn(followed.guessed_from),
          },
    systemIdentifier,
    founding,
    led,
    paused,
    sync:
      sync === undefined ? undefined : { n: sync.n, key: { ...sync.key, leader: sync.key.leader } },
  });
}

const followedToWire = (followed: HostMemory['followed']) =>
  followed === undefined
    ? undefined
    : {
        id: followed.id,
        timeline: followed.timeline,
        from: followed.from,
        lineage: followed.lineage,
        guessed_from:
          followed.guessedFrom === undefined ? undefined : formatLsn(followed.guessedFrom),
      };

async function save(path: string, memory: HostMemory): Promise<Result<void>> {
  const text = JSON.stringify({
    floor: memory.floor,
    promotions: memory.promotions.map((entry) => ({
      id: entry.id,
      timeline: entry.timeline,
      switch_lsn: formatLsn(entry.switchLsn),
    })),
    followed: followedToWire(memory.followed),
    system_identifier: memory.systemIdentifier,
    founding: memory.founding,
    led: memory.led,
    sync: memory.sync,
    paused: memory.paused,
  });
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const fresh = `${path}.new`;
    const file = await open(fresh, 'w', 0o600);
    try {
      await file.writeFile(`${text}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, path);
    const directory = await open(dirname(path), 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    return done;
  } catch (error) {
    return fail(
      'host-state-unwritable',
      `${path} cannot be written: ${messageOf(error)}`,
      'free space or correct the permissions of that directory; nothing is promoted without it',
    );
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
