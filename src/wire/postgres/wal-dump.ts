import { lsn, parseLsn } from '../../core/lsn.ts';
import type { Lsn } from '../../core/lsn.ts';

/** One record as `pg_waldump` prints it. */
export interface WalRecord {
  readonly start: Lsn;
  readonly totalBytes: number;
  /** After such a record the log goes on at the next segment. */
  readonly switchesSegment: boolean;
}

export interface WalGeometry {
  readonly segmentBytes: number;
  readonly blockBytes: number;
}

// Sizes of XLogLongPageHeaderData and XLogPageHeaderData: src/include/access/xlog_internal.h.
const FIRST_PAGE_HEADER_BYTES = 40n;
const PAGE_HEADER_BYTES = 24n;
const ALIGNMENT = 8n;

const RECORD =
  /^rmgr: (\S+)\s+len \(rec\/tot\):\s*\d+\/\s*(\d+),.*?\blsn: ([0-9A-Fa-f]+\/[0-9A-Fa-f]+), prev .*?\bdesc: (.*)$/;

/** `rmgr: XLOG        len (rec/tot):    114/   114, tx: 0, lsn: 0/0155B138, prev 0/…, desc: …` */
export function parseWalRecord(line: string): WalRecord | undefined {
  const match = RECORD.exec(line);
  if (match === null) return undefined;
  const start = parseLsn(match[3] ?? '');
  if (start === undefined) return undefined;
  const switchesSegment = match[1] === 'XLOG' && (match[4] ?? '').trimStart().startsWith('SWITCH');
  return { start, totalBytes: Number(match[2]), switchesSegment };
}

/**
 * Start of the last good record, from the error that ends every reading of a log that was not
 * archived: `error in WAL record at 0/3000148: invalid record length at 0/3000180: …`. The texts
 * after the first position differ by version and cause, and are not looked at.
 */
export function parseLastRecordStart(stderr: string): Lsn | undefined {
  const match = /error in WAL record at ([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(stderr);
  return match === null ? undefined : parseLsn(match[1] ?? '');
}

/** Where the next record begins: the record's length, rounded up, plus the page headers it crosses. */
export function endOfRecord(record: WalRecord, geometry: WalGeometry): Lsn {
  const segment = BigInt(geometry.segmentBytes);
  const block = BigInt(geometry.blockBytes);
  if (record.switchesSegment) return lsn((record.start / segment + 1n) * segment);
  let position: bigint = record.start;
  let remaining = ((BigInt(record.totalBytes) + ALIGNMENT - 1n) / ALIGNMENT) * ALIGNMENT;
  for (;;) {
    const pageEnd = (position / block + 1n) * block;
    const space = pageEnd - position;
    if (remaining <= space) return lsn(position + remaining);
    remaining -= space;
    position = pageEnd + (pageEnd % segment === 0n ? FIRST_PAGE_HEADER_BYTES : PAGE_HEADER_BYTES);
  }
}

const SEGMENT_NAME = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/;

export interface WalSegment {
  readonly name: string;
  readonly timeline: number;
  readonly start: Lsn;
}

/** `000000010000000000000003` with 16 MB segments: timeline 1 from 0/3000000; undefined when it is no segment. */
export function parseSegmentName(name: string, segmentBytes: number): WalSegment | undefined {
  const match = SEGMENT_NAME.exec(name);
  if (match === null) return undefined;
  const high = BigInt(`0x${match[2]}`);
  const low = BigInt(`0x${match[3]}`);
  return {
    name,
    timeline: Number.parseInt(match[1] ?? '', 16),
    start: lsn((high << 32n) + low * BigInt(segmentBytes)),
  };
}

export const historyFileName = (timeline: number): string =>
  `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
