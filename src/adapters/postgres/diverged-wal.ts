import { constants } from 'node:fs';
import { copyFile, open, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lsn } from '../../core/lsn.ts';
import { ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { TimelineSwitch } from '../../core/postgres.ts';
import { leftAt } from '../../core/timeline.ts';
import type { SourceHistory } from '../../ports/postgres.ts';
import type { ControlFile } from '../../wire/postgres/control-data.ts';
import { historyFileName, parseSegmentName } from '../../wire/postgres/wal-dump.ts';
import type { WalSegment } from '../../wire/postgres/wal-dump.ts';
import type { Context } from './context.ts';
import { exists, makePrivateDirectory, syncDirectory } from './durable-files.ts';
import { fileTimestamp } from './set-aside.ts';
import { diskFull } from './tool-failure.ts';

const KEPT_COPIES = 3;
const COPIES = /^diverged-wal-\d{8}T\d{9}Z$/;
const PAGE_ADDRESS_OFFSET = 8;
const PAGE_ADDRESS_BYTES = 8;

/** Where our own log left what it shares with the source; undefined when they share nothing known. */
export function divergencePoint(
  own: { readonly timeline: number; readonly switches: readonly TimelineSwitch[] },
  source: SourceHistory,
): { readonly timeline: number; readonly lsn: Lsn } | undefined {
  const candidates = [own.timeline, ...own.switches.map((entry) => entry.parent).toReversed()];
  for (const timeline of candidates) {
    const theirs = leftAt(source, timeline);
    if (theirs === undefined) continue;
    const ours = leftAt(own, timeline);
    if (theirs === 'current')
      return ours === undefined || ours === 'current' ? undefined : { timeline, lsn: ours };
    if (ours === undefined || ours === 'current') return { timeline, lsn: theirs };
    return { timeline, lsn: ours < theirs ? ours : theirs };
  }
  return undefined;
}

/** A recycled segment carries the name of the future and the pages of the past. */
async function isWritten(path: string, segment: WalSegment): Promise<boolean> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    const header = Buffer.alloc(PAGE_ADDRESS_BYTES);
    const { bytesRead } = await handle.read(header, 0, PAGE_ADDRESS_BYTES, PAGE_ADDRESS_OFFSET);
    return bytesRead === PAGE_ADDRESS_BYTES && header.readBigUInt64LE() === segment.start;
  } finally {
    await handle.close();
  }
}

async function segmentsFrom(
  walDir: string,
  from: Lsn,
  timeline: number,
  segmentBytes: number,
): Promise<readonly WalSegment[]> {
  const named = (await readdir(walDir)).flatMap((name) => {
    const segment = parseSegmentName(name, segmentBytes);
    return segment === undefined ? [] : [segment];
  });
  const wanted = named.filter(
    (segment) => segment.timeline >= timeline && segment.start + BigInt(segmentBytes) > from,
  );
  const written = await Promise.all(
    wanted.map((segment) => isWritten(join(walDir, segment.name), segment)),
  );
  return wanted.filter((_, index) => written[index] === true);
}

async function pruneCopies(context: Context): Promise<void> {
  const names = (await readdir(context.stateDir)).filter((name) => COPIES.test(name)).sort();
  for (const name of names.slice(0, Math.max(0, names.length - KEPT_COPIES))) {
    await rm(join(context.stateDir, name), { recursive: true, force: true });
  }
}

/**
 * Copies the WAL that a rewind throws away to `<state_dir>/diverged-wal-<time>`: it may be all that
 * is left of acknowledged transactions, and pg_waldump reads it there. Copies, not links: pg_rewind
 * writes into the files.
 */
export async function keepDivergedWal(
  context: Context,
  file: ControlFile,
  divergence: { readonly timeline: number; readonly lsn: Lsn } | undefined,
): Promise<Result<{ readonly copiedTo: string | undefined }>> {
  const walDir = join(context.settings().dataDir, 'pg_wal');
  const from = divergence?.lsn ?? file.control.redoLsn;
  const timeline = divergence?.timeline ?? file.control.timeline;
  const segments = await segmentsFrom(walDir, from, timeline, file.walSegmentBytes);
  if (segments.length === 0) return ok({ copiedTo: undefined });
  await makePrivateDirectory(context.stateDir);
  const space = await statfs(context.stateDir);
  const needed = segments.length * file.walSegmentBytes;
  if (space.bavail * space.bsize < needed) {
    return diskFull(
      `${segments.length} segments of diverged WAL (${needed} bytes) do not fit into ${context.stateDir}`,
    );
  }
  const copiedTo = join(context.stateDir, `diverged-wal-${fileTimestamp(context.clock.wall())}`);
  await makePrivateDirectory(copiedTo);
  const history = historyFileName(file.control.timeline);
  const names = segments.map((segment) => segment.name);
  if (await exists(join(walDir, history))) names.push(history);
  for (const name of names) {
    await copyFile(join(walDir, name), join(copiedTo, name), constants.COPYFILE_FICLONE);
  }
  await syncDirectory(copiedTo);
  await pruneCopies(context);
  context.logger.log('warn', 'diverged WAL kept', { copiedTo, segments: segments.length });
  return ok({ copiedTo });
}
