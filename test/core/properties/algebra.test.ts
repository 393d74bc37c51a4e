import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareCandidates } from '../../../src/core/candidates.ts';
import type { Json, JsonObject } from '../../../src/core/json.ts';
import { formatLsn, lagBytes, lsn, LSN_ZERO, maxLsn, parseLsn } from '../../../src/core/lsn.ts';
import { mergePatch } from '../../../src/core/merge-patch.ts';
import { same } from '../../../src/core/same.ts';
import { slotNameFor } from '../../../src/core/slots.ts';
import { parseHistory, relate } from '../../../src/core/timeline.ts';
import type { History } from '../../../src/core/timeline.ts';

const position = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }).map(lsn);

describe('positions', () => {
  test('what is written is read back', () => {
    fc.assert(fc.property(position, (a) => parseLsn(formatLsn(a)) === a));
  });

  test('any text is read or refused, and what is read is written back but for leading zeros', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const read = parseLsn(text);
        if (read === undefined) return true;
        return formatLsn(read) === text.toUpperCase().replace(/\b0+(?=[0-9A-F])/g, '');
      }),
    );
  });

  test('are in the order of their digits, not in that of their letters: 0/9 is before 0/10', () => {
    const digits = (a: bigint): string => a.toString(16).padStart(16, '0');
    fc.assert(
      fc.property(position, position, (a, b) => {
        const [left, right] = [parseLsn(formatLsn(a)), parseLsn(formatLsn(b))];
        if (left === undefined || right === undefined) return false;
        return left < right === digits(a) < digits(b);
      }),
    );
  });

  test('with more than eight digits on a side, or with anything else around them, are none', () => {
    const side = fc.stringMatching(/^[0-9A-Fa-f]{1,12}$/);
    const around = fc.constantFrom('', ' ', '\n', '-', '0x', '/');
    fc.assert(
      fc.property(side, side, around, around, (high, low, before, after) => {
        const good = high.length <= 8 && low.length <= 8 && before === '' && after === '';
        return (parseLsn(`${before}${high}/${low}${after}`) !== undefined) === good;
      }),
    );
  });

  test('the further of two is one of them and behind neither', () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        const further = maxLsn(a, b);
        return (further === a || further === b) && further >= a && further >= b;
      }),
    );
  });

  test('a lag is never negative and makes up the difference', () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        const lag = lagBytes(a, b);
        return lag >= 0n && (lag === 0n) === b >= a && (lag === 0n || b + lag === a);
      }),
    );
  });
});

/** A history as promotions make it: timelines rise, and so do the positions where they were left. */
const history: fc.Arbitrary<History> = fc
  .array(
    fc.record({ step: fc.integer({ min: 1, max: 3 }), bytes: fc.bigInt({ min: 0n, max: 99n }) }),
    { maxLength: 6 },
  )
  .map((steps) => {
    let timeline = 1;
    let at = 0n;
    const switches = steps.map(({ step, bytes }) => {
      at += bytes;
      const parent = timeline;
      timeline += step;
      return { parent, switchLsn: lsn(at), reason: '' };
    });
    return { timeline, switches };
  });
const shortPosition = fc.bigInt({ min: 0n, max: 700n }).map(lsn);

describe('histories', () => {
  test('a shorter log on the same timeline is related at least as well', () => {
    fc.assert(
      fc.property(history, fc.nat(20), shortPosition, shortPosition, (source, timeline, a, b) => {
        const [short, long] = a < b ? [a, b] : [b, a];
        if (relate(timeline, long, source).kind !== 'ancestor') return true;
        return relate(timeline, short, source).kind === 'ancestor';
      }),
    );
  });

  test('what can be followed can still be followed after one more promotion from there on', () => {
    fc.assert(
      fc.property(
        history,
        fc.nat(20),
        shortPosition,
        shortPosition,
        (source, timeline, end, at) => {
          fc.pre(relate(timeline, end, source).kind === 'ancestor');
          fc.pre(timeline !== source.timeline || end <= at);
          const next: History = {
            timeline: source.timeline + 1,
            switches: [...source.switches, { parent: source.timeline, switchLsn: at, reason: '' }],
          };
          return relate(timeline, end, next).kind === 'ancestor';
        },
      ),
    );
  });

  test('what has diverged stays so, whatever is promoted later', () => {
    fc.assert(
      fc.property(
        history,
        fc.nat(20),
        shortPosition,
        shortPosition,
        (source, timeline, end, at) => {
          fc.pre(relate(timeline, end, source).kind !== 'ancestor');
          fc.pre(timeline !== source.timeline + 1);
          const next: History = {
            timeline: source.timeline + 1,
            switches: [...source.switches, { parent: source.timeline, switchLsn: at, reason: '' }],
          };
          return relate(timeline, end, next).kind !== 'ancestor';
        },
      ),
    );
  });

  test('the start of the log is part of every timeline in the history, and of no other', () => {
    fc.assert(
      fc.property(history, fc.nat(20), (source, timeline) => {
        const known =
          timeline === source.timeline || source.switches.some(({ parent }) => parent === timeline);
        return relate(timeline, LSN_ZERO, source).kind === (known ? 'ancestor' : 'unrelated');
      }),
    );
  });

  test('a history file is read back as it was written', () => {
    fc.assert(
      fc.property(history, (source) => {
        const text = source.switches
          .map(({ parent, switchLsn }) => `${parent}\t${formatLsn(switchLsn)}\tno reason\n`)
          .join('');
        expect(parseHistory(text, parseLsn)).toEqual(
          source.switches.map((entry) => ({ ...entry, reason: 'no reason' })),
        );
      }),
    );
  });

  test('any text is read without an error', () => {
    fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseHistory(text, parseLsn))));
  });
});

const candidate = fc.record({
  timeline: fc.integer({ min: 1, max: 3 }),
  lsn: fc.bigInt({ min: 0n, max: 3n }).map(lsn),
  priority: fc.integer({ min: 0, max: 3 }),
});

describe('the order of candidates', () => {
  test('is total: of any two one goes first, or they are equal', () => {
    fc.assert(
      fc.property(candidate, candidate, (a, b) => {
        const order = Math.sign(compareCandidates(a, b));
        const equal = a.timeline === b.timeline && a.lsn === b.lsn && a.priority === b.priority;
        return order + Math.sign(compareCandidates(b, a)) === 0 && (order === 0) === equal;
      }),
    );
  });

  test('is transitive', () => {
    fc.assert(
      fc.property(candidate, candidate, candidate, (a, b, c) => {
        fc.pre(compareCandidates(a, b) >= 0 && compareCandidates(b, c) >= 0);
        return compareCandidates(a, c) >= 0;
      }),
    );
  });

  test('never puts a shorter log of the same timeline first, whatever its priority', () => {
    fc.assert(
      fc.property(candidate, candidate, (a, b) => {
        fc.pre(a.timeline === b.timeline && a.lsn < b.lsn);
        return compareCandidates(a, b) < 0;
      }),
    );
  });
});

const key = fc.constantFrom('a', 'b', 'c', 'ttl');
const leaf: fc.Arbitrary<Json> = fc.oneof(
  fc.integer(),
  fc.string({ maxLength: 3 }),
  fc.boolean(),
  fc.array(fc.integer(), { maxLength: 2 }),
);
/** Configurations and patches of some depth; null only where a patch may say it. */
const tree = (withNull: boolean, depth: number): fc.Arbitrary<JsonObject> => {
  const values = withNull ? fc.oneof(leaf, fc.constant(null)) : leaf;
  const value: fc.Arbitrary<Json> =
    depth === 0 ? values : fc.oneof(values, tree(withNull, depth - 1));
  return fc.dictionary(key, value, { maxKeys: 4, noNullPrototype: true });
};
const settings = tree(false, 2);
const patch = tree(true, 2);
const hasNull = (value: Json): boolean =>
  value === null || (typeof value === 'object' && Object.values(value).some(hasNull));

describe('merge patches', () => {
  test('an empty one changes nothing', () => {
    fc.assert(
      fc.property(settings, (before) => {
        expect(mergePatch(before, {})).toEqual(before);
      }),
    );
  });

  test('the same one twice does what it does once', () => {
    fc.assert(
      fc.property(settings, patch, (before, change) => {
        const once = mergePatch(before, change);
        expect(mergePatch(once, change)).toEqual(once);
      }),
    );
  });

  test('nothing that is null is left', () => {
    fc.assert(
      fc.property(settings, patch, (before, change) => !hasNull(mergePatch(before, change))),
    );
  });

  test('what it sets is set, what it nulls is gone, what it does not name stays', () => {
    fc.assert(
      fc.property(settings, patch, (before, change) => {
        const after = mergePatch(before, change);
        for (const name of Object.keys(before)) {
          if (!(name in change)) expect(after[name]).toEqual(before[name]);
        }
        for (const [name, value] of Object.entries(change)) {
          if (value === null) expect(after).not.toHaveProperty(name);
          else if (typeof value !== 'object' || Array.isArray(value))
            expect(after[name]).toEqual(value);
        }
      }),
    );
  });

  test('neither the configuration nor the patch is changed by it', () => {
    fc.assert(
      fc.property(settings, patch, (before, change) => {
        const copies = structuredClone([before, change]);
        mergePatch(before, change);
        expect([before, change]).toEqual(copies);
      }),
    );
  });

  test('a configuration can be made from nothing by a patch', () => {
    fc.assert(
      fc.property(settings, (wanted) => {
        expect(mergePatch({}, wanted)).toEqual(wanted);
      }),
    );
  });
});

describe('equality of settings', () => {
  test('a copy is the same, and so in any order of keys', () => {
    fc.assert(
      fc.property(settings, (value) => {
        const reversed = Object.fromEntries(Object.entries(value).toReversed());
        return same(value, structuredClone(value)) && same(value, reversed);
      }),
    );
  });

  test('is what the canonical text says', () => {
    const text = (value: Json): string =>
      JSON.stringify(value, (_name, inner: unknown) =>
        typeof inner === 'object' && inner !== null && !Array.isArray(inner)
          ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
          : inner,
      );
    fc.assert(fc.property(settings, settings, (a, b) => same(a, b) === (text(a) === text(b))));
  });
});

describe('slot names', () => {
  test('are accepted by PostgreSQL, whatever the member is called', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (member) =>
        /^[a-z0-9_]{1,63}$/.test(slotNameFor(member)),
      ),
    );
  });
});
