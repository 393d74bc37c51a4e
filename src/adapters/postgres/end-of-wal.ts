import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { formatLsn, lsn, maxLsn } from '../../core/lsn.ts';
import type { Lsn } from '../../core/lsn.ts';
import { fail, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { plus, since } from '../../core/time.ts';
import type { Millis } from '../../core/time.ts';
import { leftAt } from '../../core/timeline.ts';
import type { ControlFile } from '../../wire/postgres/control-data.ts';
import {
  endOfRecord,
  parseLastRecordStart,
  parseSegmentName,
  parseWalRecord,
} from '../../wire/postgres/wal-dump.ts';
import type { WalRecord } from '../../wire/postgres/wal-dump.ts';
import type { Context } from './context.ts';
import { messageOf } from './thrown.ts';
import { toolEnvironment } from './environment.ts';
import { readHistoryFile } from './history.ts';
import { readControlFile } from './inspect.ts';
import { describeOutcome, run } from './subprocess.ts';
import type { ProcessOutcome } from './subprocess.ts';

interface Reader {
  readonly context: Context;
  readonly dataDir: string;
  readonly executable: string;
  readonly file: ControlFile;
  readonly leftMillis: () => Millis;
}

interface Start {
  readonly timeline: number;
  readonly from: Lsn;
}

/**
 * Where the last segment ends that follows on from there without a gap; undefined when not even the
 * first is there. pg_waldump is told, because it waits five seconds for every file that is not
 * there, which is so whenever a log ends with its segment. Source: pg_waldump.c, WALDumpOpenSegment.
 */
async function endOfSegments(reader: Reader, start: Start): Promise<Lsn | undefined> {
  const { walSegmentBytes } = reader.file;
  const names = await readdir(join(reader.dataDir, 'pg_wal'));
  const present = new Set(
    names.flatMap((name) => {
      const segment = parseSegmentName(name, walSegmentBytes);
      return segment?.timeline === start.timeline ? [segment.start] : [];
    }),
  );
  const bytes = BigInt(walSegmentBytes);
  const first = (start.from / bytes) * bytes;
  let end = first;
  while (present.has(lsn(end))) end += bytes;
  return end === first ? undefined : lsn(end);
}

function dump(
  reader: Reader,
  timeline: number,
  more: readonly string[],
  onLine?: (line: string) => void,
): Promise<ProcessOutcome> {
  return run(reader.context.clock, {
    executable: reader.executable,
    args: ['-p', join(reader.dataDir, 'pg_wal'), '-t', String(timeline), ...more],
    env: toolEnvironment(),
    timeoutMillis: Math.max(1, reader.leftMillis()),
    ...(onLine === undefined ? {} : { onLine }),
  });
}

/** The record that begins here. */
async function recordAt(reader: Reader, timeline: number, at: Lsn): Promise<WalRecord | undefined> {
  const outcome = await dump(reader, timeline, ['-s', formatLsn(at), '-n', '1']);
  return outcome.stdout
    .split('\n')
    .map(parseWalRecord)
    .find((record) => record !== undefined);
}

/** The last record when its position was not told: prints all of them, and keeps the last. */
async function lastPrinted(reader: Reader, start: Start, end: Lsn): Promise<WalRecord | undefined> {
  let last: string | undefined;
  const more = ['-s', formatLsn(start.from), '-e', formatLsn(end)];
  await dump(reader, start.timeline, more, (line) => {
    if (line.startsWith('rmgr:')) last = line;
  });
  return last === undefined ? undefined : parseWalRecord(last);
}

async function endFrom(reader: Reader, start: Start): Promise<Result<Lsn | undefined>> {
  const end = await endOfSegments(reader, start);
  if (end === undefined) return ok(undefined);
  const range = ['-q', '-s', formatLsn(start.from), '-e', formatLsn(end)];
  const quiet = await dump(reader, start.timeline, range);
  if (quiet.ended !== 'exited') {
    return fail('postgres-wal-not-read', describeOutcome('pg_waldump', quiet));
  }
  const at = parseLastRecordStart(quiet.stderr);
  const known = at === undefined ? undefined : await recordAt(reader, start.timeline, at);
  const last = known ?? (await lastPrinted(reader, start, end));
  if (reader.leftMillis() <= 0) {
    return fail('postgres-wal-not-read', 'the WAL could not be read within its time');
  }
  if (last === undefined) return ok(undefined);
  const geometry = {
    segmentBytes: reader.file.walSegmentBytes,
    blockBytes: reader.file.walBlockBytes,
  };
  return ok(endOfRecord(last, geometry));
}

/**
 * Timelines whose WAL may lie in the directory beyond the last checkpoint, newest first: a standby
 * that received a new timeline and fell before its next restartpoint has an old one in pg_control.
 */
async function starts(reader: Reader): Promise<readonly Start[]> {
  const { control, walSegmentBytes } = reader.file;
  const names = await readdir(join(reader.dataDir, 'pg_wal'));
  const timelines = names.flatMap((name) => {
    const segment = parseSegmentName(name, walSegmentBytes);
    return segment === undefined ? [] : [segment.timeline];
  });
  const newer = [...new Set(timelines)].filter((timeline) => timeline > control.timeline);
  const found = await Promise.all(
    newer.map(async (timeline): Promise<readonly Start[]> => {
      const switches = await readHistoryFile(reader.dataDir, timeline);
      if (switches === undefined) return [];
      const left = leftAt({ timeline, switches }, control.timeline);
      const begins = switches.at(-1)?.switchLsn;
      if (left === undefined || left === 'current' || begins === undefined) return [];
      if (left < control.redoLsn) return [];
      return [{ timeline, from: maxLsn(begins, control.redoLsn) }];
    }),
  );
  const own = { timeline: control.timeline, from: control.redoLsn };
  return [...found.flat().sort((a, b) => b.timeline - a.timeline), own];
}

/** Where the log of a server that is down ends, whether or not it was shut down cleanly. */
export async function readEndOfWal(
  context: Context,
  timeoutMillis: Millis,
): Promise<Result<{ readonly timeline: number; readonly lsn: string }>> {
  const { clock } = context;
  const deadline = plus(clock.now(), timeoutMillis);
  const { dataDir } = context.settings();
  try {
    const installation = await context.binaries.find();
    if (!installation.ok) return installation;
    const file = await readControlFile(context, dataDir);
    if (!file.ok) return file;
    const reader: Reader = {
      context,
      dataDir,
      executable: installation.value.path('pg_waldump'),
      file: file.value,
      leftMillis: () => since(clock.now(), deadline),
    };
    for (const start of await starts(reader)) {
      const end = await endFrom(reader, start);
      if (!end.ok) return end;
      if (end.value === undefined) continue;
      return ok({ timeline: start.timeline, lsn: formatLsn(end.value) });
    }
    return fail(
      'postgres-wal-not-read',
      `no record of ${dataDir} could be read from its last checkpoint on`,
      'The WAL is missing or damaged: the member has to be cloned anew.',
    );
  } catch (error) {
    return fail('postgres-wal-not-read', `WAL of ${dataDir}: ${messageOf(error)}`);
  }
}
