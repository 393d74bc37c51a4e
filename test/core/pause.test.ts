import { describe, expect, test } from 'vitest';
import type { Lease } from '../../src/core/cluster.ts';
import {
  adoptLease,
  confirmBeat,
  isValid,
  readAsHolder,
  sendBeat,
  takeBackBeat,
  winLease,
} from '../../src/core/lease.ts';
import type { HeldLease } from '../../src/core/lease.ts';
import { needsPromises } from '../../src/core/failsafe.ts';
import { rememberPause, showsPaused, wantsPausedLease } from '../../src/core/pause.ts';
import { instant } from '../../src/core/time.ts';
import type { Instant } from '../../src/core/time.ts';
import { inMaintenance } from '../harness/settings.ts';
import {
  aLease,
  anEmptyRecord,
  aView,
  down,
  holding,
  ownRecord,
  present,
  primary,
  released,
  seen,
} from '../harness/views.ts';

const at = (seconds: number): Instant => instant(seconds * 1000);
const won = (): HeldLease => winLease('g5', 5, at(100), 3000, { generation: 15, lease: 20 });
const beat = (held: HeldLease, seconds: number, paused: boolean): HeldLease =>
  sendBeat(held, at(seconds), { ttlMillis: 3000, paused }, 'two').held;
const pausedSince = (seconds: number): HeldLease =>
  confirmBeat(beat(won(), seconds, true), 1, at(seconds + 0.1));

describe('a pause begins', () => {
  test('when the beat that says so is confirmed, not when it is sent', () => {
    const sent = beat(won(), 101, true);
    expect([sent.paused, sent.end]).toEqual([false, at(103)]);
    expect(confirmBeat(sent, 1, at(101.1)).paused).toBe(true);
  });

  test('and no time ends the lease from then on', () => {
    const held = pausedSince(101);
    expect(isValid(held, at(9000))).toBe(true);
    expect(needsPromises(beat(held, 200, true), at(9000))).toBe(false);
  });

  test('not with a confirmation that comes after the end of the lease', () => {
    const late = confirmBeat(beat(won(), 101, true), 1, at(103));
    expect([late.paused, isValid(late, at(103))]).toEqual([false, false]);
  });

  test('not for a lease that runs out because its server cannot be fenced', () => {
    const lapsing: HeldLease = { ...beat(won(), 101, true), lapses: true };
    const held = confirmBeat(lapsing, 1, at(101.1));
    expect([held.paused, isValid(held, at(103))]).toEqual([false, false]);
  });

  test('not while a beat that does not say so may still follow it into the store', () => {
    const changedItsMind = beat(beat(won(), 101, true), 101.1, false);
    expect(confirmBeat(changedItsMind, 1, at(101.2)).paused).toBe(false);
  });

  test('not in a store that has lost the past', () => {
    const forgetful = { ...beat(won(), 101, true), amnesia: true };
    expect(confirmBeat(forgetful, 1, at(101.1)).paused).toBe(false);
  });

  test('and is kept in a store that loses the past afterwards', () => {
    const forgetful = { ...beat(pausedSince(101), 102, true), amnesia: true };
    expect(confirmBeat(forgetful, 2, at(102.1)).paused).toBe(true);
  });
});

describe('a pause ends', () => {
  test('when the beat that says so is sent, with a whole lease from then on', () => {
    const resumed = beat(pausedSince(101), 500, false);
    expect([resumed.paused, resumed.end]).toEqual([false, at(503)]);
    expect(isValid(resumed, at(503))).toBe(false);
  });

  test('not by a beat that was provably not done', () => {
    const resumed = beat(pausedSince(101), 500, false);
    expect(takeBackBeat(resumed, 2).paused).toBe(true);
  });

  test('though that was not done, if another before it may have been', () => {
    const twice = beat(beat(pausedSince(101), 500, false), 501, false);
    expect(takeBackBeat(twice, 3).paused).toBe(false);
  });

  test('for good with a release', () => {
    const release = { handoff: undefined, lsn: undefined, exclude: [] };
    expect(isValid({ ...pausedSince(101), release }, at(101.2))).toBe(false);
  });

  test('not by a beat of before the pause that is back in the store: that has lost the past', () => {
    const record = ownRecord({ lease: present(aLease({ beat: 7 }), 61) });
    const adopted = adoptLease('g5', 5, at(103), 3000, at(101), { paused: true, knownBeat: 5 });
    expect(readAsHolder(adopted, record, 'two', at(500))).toMatchObject({
      kind: 'amnesia',
      held: { paused: true },
    });
  });
});

describe('what the next beat says', () => {
  const lost = anEmptyRecord();
  const forgetful = (held: Partial<HeldLease>) => ({ ...holding(held), ...seen(lost, 100) });

  test('is what is configured', () => {
    expect(wantsPausedLease(aView(holding(), primary()))).toBe(false);
    expect(wantsPausedLease(aView(holding(), primary(), inMaintenance()))).toBe(true);
  });

  test('stays paused while the members have not vouched for a store that lost the past', () => {
    const view = aView(holding({ paused: true, amnesia: true }), primary());
    expect(wantsPausedLease(view)).toBe(true);
  });

  test('is not paused any more in such a store where Postgres is down: nothing is protected by it', () => {
    const view = aView(forgetful({ paused: true, amnesia: true }), down());
    expect(wantsPausedLease(view)).toBe(false);
  });

  test('is published once it is in force', () => {
    expect(showsPaused(aView(holding(), primary(), inMaintenance()))).toBe(false);
    expect(showsPaused(aView(holding({ paused: true }), primary(), inMaintenance()))).toBe(true);
    expect(showsPaused(aView(inMaintenance()))).toBe(true);
  });
});

describe('what a host remembers of a pause', () => {
  const known = { n: 5, id: 'g5', beat: 7 };
  const after = (lease: Partial<Lease>) =>
    rememberPause(known, ownRecord({ lease: present(aLease(lease), 20) }));

  test('is the first beat that said so', () => {
    const record = ownRecord({ lease: present(aLease({ paused: true, beat: 7 }), 20) });
    expect(rememberPause(undefined, record)).toEqual(known);
    expect(after({ paused: true, beat: 8 })).toBe(known);
  });

  test('ends with a later beat that does not', () => {
    expect(after({ beat: 8 })).toBeUndefined();
  });

  test('does not end with an earlier one, of a store that was restored', () => {
    expect(after({ beat: 6 })).toBe(known);
    expect(after({ n: 4, id: 'g4', beat: 99 })).toBe(known);
  });

  test('does not end with a store that was wiped', () => {
    expect(rememberPause(known, anEmptyRecord())).toBe(known);
  });

  test('ends with a release, and with the lease of a later generation', () => {
    expect(rememberPause(known, ownRecord({ lease: released() }))).toBeUndefined();
    expect(after({ n: 6, id: 'g6', beat: 0 })).toBeUndefined();
  });
});
