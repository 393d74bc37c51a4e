import { describe, expect, it } from 'vitest';
import { assert, bigInt, integer, property } from 'fast-check';
import { lsn, parseLsn } from '../../../src/core/lsn.ts';
import { parseControlData } from '../../../src/wire/postgres/control-data.ts';
import { parsePostmasterPid } from '../../../src/wire/postgres/postmaster-pid.ts';
import { parseCopyProgress } from '../../../src/wire/postgres/progress.ts';
import { parseHistoryRow, parseIdentityRow } from '../../../src/wire/postgres/replication-rows.ts';
import { parseUnfinished, writeUnfinished } from '../../../src/wire/postgres/unfinished.ts';
import {
  endOfRecord,
  historyFileName,
  parseLastRecordStart,
  parseSegmentName,
  parseWalRecord,
} from '../../../src/wire/postgres/wal-dump.ts';

const CONTROL = `pg_control version number:            1300
Catalog version number:               202209061
Database system identifier:           7641234567890123456
Database cluster state:               shut down
pg_control last modified:             Mon 20 Nov 2026 10:00:00 AM UTC
Latest checkpoint location:           0/3000148
Latest checkpoint's REDO location:    0/3000148
Latest checkpoint's REDO WAL file:    000000020000000000000003
Latest checkpoint's TimeLineID:       2
Latest checkpoint's PrevTimeLineID:   1
Minimum recovery ending location:     0/0
Min recovery ending loc's timeline:   0
wal_level setting:                    replica
wal_log_hints setting:                on
max_connections setting:              100
max_worker_processes setting:         8
max_wal_senders setting:              10
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
track_commit_timestamp setting:       off
Database block size:                  8192
WAL block size:                       8192
Bytes per WAL segment:                16777216
Data page checksum version:           0
`;

describe('pg_controldata', () => {
  it('is read', () => {
    const parsed = parseControlData(CONTROL);
    expect(parsed).toMatchObject({
      ok: true,
      value: {
        control: {
          systemIdentifier: '7641234567890123456',
          state: 'shut down',
          timeline: 2,
          checkpointLsn: lsn(0x3000148n),
          rewindable: true,
        },
        limits: { max_connections: 100, max_locks_per_transaction: 64 },
        walSegmentBytes: 16_777_216,
      },
    });
  });

  it.each([
    [
      'wal_log_hints and checksums are off',
      CONTROL.replace('hints setting:                on', 'hints setting: off'),
      false,
    ],
    [
      'checksums are on',
      CONTROL.replace('hints setting:                on', 'hints setting: off').replace(
        'version:           0',
        'version: 1',
      ),
      true,
    ],
  ])('knows whether a rewind is possible when %s', (_, text, rewindable) => {
    expect(parseControlData(text)).toMatchObject({ value: { control: { rewindable } } });
  });

  it('has an unknown state for what a newer version may say', () => {
    const text = CONTROL.replace('shut down', 'dreaming');
    expect(parseControlData(text)).toMatchObject({ value: { control: { state: 'unrecognized' } } });
  });

  it.each([
    [
      'its checksum does not match',
      `WARNING: Calculated CRC checksum does not match value stored in file.\n${CONTROL}`,
    ],
    ['a field is missing', CONTROL.replace(/^Latest checkpoint location.*\n/m, '')],
    ['a position is none', CONTROL.replace('location:           0/3000148', 'location: nowhere')],
    ['it is empty', ''],
  ])('is refused when %s', (_, text) => {
    expect(parseControlData(text).ok).toBe(false);
  });
});

const GEOMETRY = { segmentBytes: 16 * 1024 * 1024, blockBytes: 8192 };
const record = (start: bigint, totalBytes: number, switchesSegment = false) => ({
  start: lsn(start),
  totalBytes,
  switchesSegment,
});

describe('pg_waldump', () => {
  it('prints records that are understood', () => {
    const line =
      'rmgr: XLOG        len (rec/tot):    114/   114, tx:          0, lsn: 0/03000148, prev 0/030000D8, desc: CHECKPOINT_SHUTDOWN redo 0/3000148; tli 2';
    expect(parseWalRecord(line)).toEqual(record(0x3000148n, 114));
    expect(parseWalRecord('pg_waldump: first record is after 0/3000000')).toBeUndefined();
  });

  it('prints a switch of segments, after which the log goes on at the next', () => {
    const line =
      'rmgr: XLOG        len (rec/tot):     24/    24, tx:          0, lsn: 0/03000200, prev 0/03000148, desc: SWITCH ';
    const parsed = parseWalRecord(line);
    expect(parsed?.switchesSegment).toBe(true);
    expect(parsed && endOfRecord(parsed, GEOMETRY)).toBe(0x4000000n);
  });

  it.each([
    [
      'pg_waldump: error: error in WAL record at 0/3000148: invalid record length at 0/30001C0: wanted 24, got 0',
      '0/3000148',
    ],
    [
      'pg_waldump: error: error in WAL record at 1A/FF: invalid magic number 0000 in WAL segment x, LSN 1A/100, offset 0',
      '1A/FF',
    ],
    [
      'pg_waldump: error: could not find file "000000010000000000000004": No such file or directory',
      undefined,
    ],
  ])('ends with an error that names the last record: %s', (text, expected) => {
    const wanted = expected === undefined ? undefined : parseLsn(expected);
    expect(parseLastRecordStart(text)).toBe(wanted);
  });

  it.each([
    ['within a page', 0x3000148n, 114, 0x30001c0n],
    ['up to the end of a page', 0x3001f00n, 256, 0x3002000n],
    ['over a page, behind its header', 0x3001f00n, 300, 0x3002000n + 24n + 48n],
    ['over a segment, behind its longer header', 0x3ffff00n, 300, 0x4000000n + 40n + 48n],
  ])('leads to the end of a record %s', (_, start, length, end) => {
    expect(endOfRecord(record(start, length), GEOMETRY)).toBe(end);
  });

  it('ends of records are aligned, behind their start and never within a page header', () => {
    assert(
      property(bigInt(0n, 10_000n), integer({ min: 24, max: 200_000 }), (page, bytes) => {
        const header = (page * 8192n) % BigInt(GEOMETRY.segmentBytes) === 0n ? 40n : 24n;
        const start = page * 8192n + header;
        const end = endOfRecord(record(start, bytes), GEOMETRY);
        const inPage = end % 8192n;
        expect(end % 8n).toBe(0n);
        expect(end - start).toBeGreaterThanOrEqual(BigInt(bytes));
        expect(inPage === 0n || inPage > 24n).toBe(true);
      }),
    );
  });

  it('names segments and history files', () => {
    expect(parseSegmentName('0000000200000001000000FF', GEOMETRY.segmentBytes)).toEqual({
      name: '0000000200000001000000FF',
      timeline: 2,
      start: 0x1ff000000n,
    });
    expect(parseSegmentName('00000002.history', GEOMETRY.segmentBytes)).toBeUndefined();
    expect(parseSegmentName('000000020000000000000003.partial', 1)).toBeUndefined();
    expect(historyFileName(26)).toBe('0000001A.history');
  });
});

describe('small texts', () => {
  it('postmaster.pid names the postmaster, and no other', () => {
    expect(parsePostmasterPid('123\n/data\n1700000000\n5432\n')).toEqual({
      pid: 123,
      dataDir: '/data',
      startedAtSeconds: 1_700_000_000,
    });
    expect(parsePostmasterPid('-123\n/data\n1700000000\n')).toBeUndefined();
    expect(parsePostmasterPid('')).toBeUndefined();
    expect(parsePostmasterPid('12')).toBeUndefined();
  });

  it('progress is read of both tools', () => {
    expect(parseCopyProgress('  512/1024 kB (50%), 0/1 tablespace')).toEqual({
      done: 512,
      total: 1024,
    });
    expect(parseCopyProgress(' 12/0 kB (100%), 1/1 tablespace')).toEqual({
      done: 12,
      total: undefined,
    });
    expect(parseCopyProgress('pg_rewind: connected to server')).toBeUndefined();
  });

  it('markers survive a round trip, and a cut-off one is none', () => {
    const marker = { work: 'clone' as const, startedAt: 'now', dataDir: '/data' };
    const text = writeUnfinished(marker);
    expect(parseUnfinished(text)).toEqual(marker);
    expect(parseUnfinished(text.slice(0, 10))).toBeUndefined();
  });

  it('rows of replication commands are read, bytea or text', () => {
    expect(parseIdentityRow({ systemid: '7', timeline: '3' })).toEqual({
      systemIdentifier: '7',
      timeline: 3,
    });
    expect(parseIdentityRow({})).toBeUndefined();
    expect(parseHistoryRow({ content: 'text' })).toBe('text');
    expect(parseHistoryRow({ content: Buffer.from('text') })).toBe('text');
    expect(parseHistoryRow(undefined)).toBeUndefined();
  });
});
