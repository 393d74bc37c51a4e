import { describe, expect, test } from 'vitest';
import { ABSENT } from '../../src/core/cluster.ts';
import type { ClusterRecord } from '../../src/core/cluster.ts';
import {
  adoptLease,
  confirmBeat,
  fenceAt,
  guardianFenceAt,
  isValid,
  MARGIN_MILLIS,
  readAsHolder,
  sendBeat,
  takeBackBeat,
  waitMillis,
  winLease,
} from '../../src/core/lease.ts';
import type { HeldLease } from '../../src/core/lease.ts';
import { DEFAULT_TIMING } from '../../src/core/timing.ts';
import { instant } from '../../src/core/time.ts';
import { aGeneration, aLease, garbled, ownRecord, present, released } from '../harness/views.ts';

const at = (seconds: number) => instant(seconds * 1000);
const won = (sentAt = at(100)): HeldLease =>
  winLease('g5', 5, sentAt, 3000, { generation: 15, lease: 20 });
const beat = (held: HeldLease, seconds: number, ttlMillis = 3000): HeldLease =>
  sendBeat(held, at(seconds), { ttlMillis }, 'two').held;
const inStore = (number: number, given: Partial<ClusterRecord> = {}): ClusterRecord =>
  ownRecord({
    lease: present(aLease({ incarnation: 'two', beat: number }), 20 + number),
    ...given,
  });

describe('the lease counts from the sending', () => {
  test('of the takeover that was acknowledged', () => {
    expect(won(at(100)).end).toBe(at(103));
  });

  test('of the heartbeat that was acknowledged, however late the answer', () => {
    const held = confirmBeat(beat(won(), 101), 1, at(102.9));
    expect(held.end).toBe(at(104));
    expect(held.confirmedAt).toBe(at(101));
  });

  test('of that very heartbeat, not of the newest one sent', () => {
    const held = confirmBeat(beat(beat(won(), 101), 102), 1, at(102.5));
    expect(held.end).toBe(at(104));
  });

  test('and is over at its end, to the millisecond', () => {
    expect(isValid(won(), instant(102_999))).toBe(true);
    expect(isValid(won(), at(103))).toBe(false);
  });

  test('and not at all of a heartbeat that was never sent', () => {
    expect(confirmBeat(won(), 7, at(101))).toEqual(won());
  });
});

describe('a lapsed lease is over', () => {
  test('a late acknowledgement does not revive it', () => {
    const held = confirmBeat(beat(won(), 102), 1, at(103));
    expect(held.end).toBe(at(103));
    expect(isValid(held, at(103))).toBe(false);
  });

  test('a read that shows its own beat does not revive it', () => {
    const reading = readAsHolder(beat(won(), 102), inStore(1), 'two', at(104));
    expect(reading.kind).toBe('mine');
    expect(reading.kind === 'mine' && isValid(reading.held, at(104))).toBe(false);
  });

  test('one that was acknowledged a millisecond earlier goes on', () => {
    const held = confirmBeat(beat(won(), 102), 1, instant(102_999));
    expect(held.end).toBe(at(105));
  });
});

describe('the ttl changes', () => {
  test('a shorter one binds from the moment it is sent, acknowledged or not', () => {
    const long = winLease('g5', 5, at(100), 10_000, { generation: 15, lease: 20 });
    expect(beat(long, 101, 3000).end).toBe(at(104));
  });

  test('a shorter one never lengthens what is left', () => {
    expect(beat(won(), 102.5, 2000).end).toBe(at(103));
  });

  test('a shorter one binds again after a longer beat of before was found to be committed', () => {
    const long = winLease('g5', 5, at(100), 10_000, { generation: 15, lease: 20 });
    const late = confirmBeat(beat(beat(long, 101, 10_000), 102, 3000), 1, at(102.5));
    expect(late.end).toBe(at(111));
    const short = beat(late, 103, 3000);
    expect(short.end).toBe(at(106));
    expect(confirmBeat(short, 3, at(103.1)).end).toBe(at(106));
  });

  test('a longer one counts only when it is acknowledged', () => {
    const sent = beat(won(), 101, 10_000);
    expect(sent.end).toBe(at(103));
    expect(confirmBeat(sent, 1, at(101.1)).end).toBe(at(111));
  });

  test('what followers may have read is the ttl last confirmed', () => {
    const sent = beat(won(), 101, 10_000);
    expect([sent.ttlInForceMillis, sent.ttlConfirmedMillis]).toEqual([10_000, 3000]);
    expect(confirmBeat(sent, 1, at(101.1)).ttlConfirmedMillis).toBe(10_000);
  });
});

describe('no two writes are alike', () => {
  test('the beat rises with every attempt, answered or not', () => {
    const first = sendBeat(won(), at(101), { ttlMillis: 3000 }, 'two');
    const second = sendBeat(first.held, at(101.5), { ttlMillis: 3000 }, 'two');
    expect([first.lease.beat, second.lease.beat]).toEqual([1, 2]);
    expect(first.lease).toEqual({
      id: 'g5',
      n: 5,
      incarnation: 'two',
      beat: 1,
      ttlMillis: 3000,
      released: undefined,
    });
  });

  test('the beat goes on above what an earlier process wrote', () => {
    const adopted = adoptLease('g5', 5, at(103), 3000, at(101));
    const reading = readAsHolder(
      adopted,
      ownRecord({ lease: present(aLease({ incarnation: 'one', beat: 41 }), 61) }),
      'two',
      at(101),
    );
    const held = reading.kind === 'mine' ? reading.held : adopted;
    expect(sendBeat(held, at(101), { ttlMillis: 3000 }, 'two').lease.beat).toBe(42);
  });

  test('what was sent is remembered within a bound', () => {
    let held = won();
    for (let count = 1; count <= 20; count += 1) held = beat(held, 100 + count / 10);
    expect(held.sent.map((sent) => sent.beat)).toEqual([13, 14, 15, 16, 17, 18, 19, 20]);
  });

  test('a confirmed beat settles those before it', () => {
    const held = confirmBeat(beat(beat(beat(won(), 101), 101.1), 101.2), 2, at(101.5));
    expect(held.sent.map((sent) => sent.beat)).toEqual([3]);
  });
});

describe('adoption on the same host', () => {
  test('continues the deadline that it finds', () => {
    const adopted = adoptLease('g5', 5, at(103), 3000, at(101));
    expect(adopted.end).toBe(at(103));
    expect(adopted.leaseIndex).toBeUndefined();
  });

  test('is not moved by the beats of the process before', () => {
    const adopted = adoptLease('g5', 5, at(103), 3000, at(101));
    const record = ownRecord({ lease: present(aLease({ incarnation: 'one', beat: 41 }), 61) });
    const reading = readAsHolder(adopted, record, 'two', at(101));
    expect(reading).toMatchObject({
      kind: 'mine',
      held: { end: at(103), leaseIndex: 61, generationIndex: 15, beat: 41 },
    });
  });

  test('asks for no longer promises than the last beat of the process before allows for', () => {
    const adopted = adoptLease('g5', 5, at(110), 10_000, at(101));
    const record = ownRecord({ lease: present(aLease({ incarnation: 'one', beat: 41 }), 61) });
    const reading = readAsHolder(adopted, record, 'two', at(101));
    expect(reading).toMatchObject({ kind: 'mine', held: { ttlConfirmedMillis: 3000 } });
  });

  test('is moved by its own first acknowledged beat', () => {
    const adopted = adoptLease('g5', 5, at(103), 3000, at(101));
    expect(confirmBeat(beat(adopted, 102), 1, at(102.1))).toMatchObject({
      end: at(105),
      ttlForgottenMillis: undefined,
      vouched: true,
    });
  });
});

describe('the holder reads', () => {
  const held = beat(won(), 101);
  const read = (record: ClusterRecord, of: HeldLease = held) =>
    readAsHolder(of, record, 'two', at(101.5));

  test('its own beat: done, and the chain goes on from there', () => {
    expect(read(inStore(1))).toMatchObject({
      kind: 'mine',
      held: { end: at(104), leaseIndex: 21, generationIndex: 15, sent: [] },
    });
  });

  test('a beat below the last that was confirmed: the store has lost the past, it is no twin', () => {
    const later = confirmBeat(beat(confirmBeat(held, 1, at(101.1)), 101.2), 2, at(101.3));
    expect(read(inStore(1), later)).toMatchObject({ kind: 'amnesia', held: { leaseIndex: 21 } });
    const before = ownRecord({ lease: present(aLease({ incarnation: 'one', beat: 1 }), 61) });
    expect(read(before, later).kind).toBe('amnesia');
  });

  test('its own release, whatever its beat: over', () => {
    expect(read(ownRecord({ lease: released() }), { ...held, confirmedBeat: 99 }).kind).toBe(
      'released',
    );
  });

  test('the beat before: not done, and the chain goes on from there', () => {
    expect(read(inStore(0))).toMatchObject({
      kind: 'mine',
      held: { end: at(103), leaseIndex: 20, sent: [{ beat: 1 }] },
    });
  });

  test('no lease at all: the next beat must not find one either', () => {
    expect(read(ownRecord({ lease: ABSENT }))).toMatchObject({
      kind: 'mine',
      held: { end: at(103), leaseIndex: 0 },
    });
  });

  test('a lease that nobody can read: nothing is confirmed, the chain goes on over it', () => {
    expect(read(ownRecord({ lease: garbled(33) }))).toMatchObject({
      kind: 'mine',
      held: { end: at(103), leaseIndex: 33 },
    });
  });

  test('the lease of another generation: nothing is confirmed', () => {
    expect(read(ownRecord({ lease: present(aLease({ id: 'g4', beat: 99 }), 34) }))).toMatchObject({
      kind: 'mine',
      held: { end: at(103), leaseIndex: 34, beat: 1 },
    });
  });

  test('its own release: over', () => {
    expect(read(ownRecord({ lease: released() })).kind).toBe('released');
  });

  test('a higher generation: superseded', () => {
    const generation = present(aGeneration({ n: 6, id: 'g6', holder: 'pg3' }), 40);
    expect(read(ownRecord({ generation }))).toEqual({ kind: 'superseded', n: 6, holder: 'pg3' });
  });

  test('its own number under another id: superseded, for identity is the id', () => {
    const generation = present(aGeneration({ n: 5, id: 'other', holder: 'pg3' }), 40);
    expect(read(ownRecord({ generation })).kind).toBe('superseded');
  });

  test('the incarnation that it has adopted from, after an own beat: the store has lost the past', () => {
    const dead = (number: number) =>
      ownRecord({ lease: present(aLease({ incarnation: 'one', beat: number }), 61) });
    const reading = read(dead(41), adoptLease('g5', 5, at(103), 3000, at(101)));
    if (reading.kind !== 'mine') throw new Error(reading.kind);
    const vouched = confirmBeat(beat(reading.held, 101), 42, at(101.1));
    // What a store that is restored twice shows may have more beats than there were since.
    expect(read(dead(90), vouched).kind).toBe('amnesia');
  });

  test('another incarnation, once it has vouched for this one: a twin', () => {
    const twin = ownRecord({ lease: present(aLease({ incarnation: 'three', beat: 2 }), 22) });
    expect(read(twin)).toEqual({ kind: 'twin', incarnation: 'three' });
  });

  for (const [what, generation] of [
    ['a lower generation', present(aGeneration({ n: 4, id: 'g4' }), 8)],
    ['no generation', ABSENT],
    ['a generation that nobody can read', garbled(9)],
  ] as const) {
    test(`${what}: the store has lost the past, and beats no longer extend the lease`, () => {
      const reading = read(inStore(1, { generation }));
      expect(reading).toMatchObject({ kind: 'amnesia', held: { amnesia: true, end: at(103) } });
      const forgetful = reading.kind === 'amnesia' ? reading.held : held;
      expect(forgetful.generationIndex).toBe(generation.kind === 'absent' ? 0 : generation.index);
      const next = beat(forgetful, 102);
      expect(confirmBeat(next, next.beat, at(102.1)).end).toBe(at(103));
    });
  }
});

describe('deadlines', () => {
  test('a follower waits longer than the holder believes, on clocks 1 % apart', () => {
    expect(waitMillis(3000)).toBe(3080);
    expect(MARGIN_MILLIS).toBe(50);
    expect(waitMillis(3000) * 0.995).toBeGreaterThan(3000 * 1.005);
  });

  test('the agent fences before the guardian, and both before the end', () => {
    const held = won();
    const agent = fenceAt(held, DEFAULT_TIMING);
    const guardian = guardianFenceAt(held.end, DEFAULT_TIMING.fenceBudgetMillis);
    expect([agent, guardian, held.end]).toEqual([at(102.25), at(102.45), at(103)]);
  });

  test('a released lease is not valid, whatever is left of it', () => {
    const release = { handoff: undefined, lsn: undefined, exclude: [] };
    expect(isValid({ ...won(), release }, at(100))).toBe(false);
  });
});

test('however many beats of a pause are refused, none of them ends it', () => {
  let held: HeldLease = { ...won(), paused: true, pauseConfirmed: true };
  for (let beat = 1; beat <= 12; beat += 1) {
    const sent = sendBeat(held, at(100 + beat), { ttlMillis: 3000, paused: true }, 'two');
    held = takeBackBeat(sent.held, sent.lease.beat);
    expect(held.paused).toBe(true);
  }
});

test('one that ends a pause, and may still be done, is not forgotten for the others', () => {
  const first = sendBeat(
    { ...won(), paused: true, pauseConfirmed: true },
    at(101),
    { ttlMillis: 3000 },
    'two',
  );
  let { held } = first;
  for (let beat = 2; beat <= 12; beat += 1) {
    const sent = sendBeat(held, at(100 + beat), { ttlMillis: 3000, paused: true }, 'two');
    held = takeBackBeat(sent.held, sent.lease.beat);
    expect(held.paused).toBe(false);
  }
});
