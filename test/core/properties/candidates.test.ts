import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { betterPeer, compareCandidates, rankPeers } from '../../../src/core/candidates.ts';
import { lsn } from '../../../src/core/lsn.ts';
import { judgeTakeover } from '../../../src/core/takeover.ts';
import type { PeerOpinion, View } from '../../../src/core/view.ts';
import { ownEligibility } from '../../../src/core/candidates.ts';
import { orphaned } from '../../harness/elections.ts';
import { someSettings } from '../../harness/settings.ts';
import {
  aGeneration,
  aHost,
  aMemory,
  asked,
  END,
  noAnswer,
  opinion,
  present,
  primary,
  standby,
  SWITCH,
} from '../../harness/views.ts';

const candidate = fc.record({
  timeline: fc.integer({ min: 1, max: 3 }),
  lsn: fc.bigInt({ min: 0n, max: 3n }).map(lsn),
  priority: fc.integer({ min: 0, max: 3 }),
});
const peer = fc.record({
  name: fc.constantFrom('pg1', 'pg3', 'pg4', 'pg5'),
  answers: fc.boolean(),
  able: fc.boolean(),
  of: candidate,
});
const peers = fc.uniqueArray(peer, { selector: ({ name }) => name }).map((list) =>
  list.map(({ name, answers, able, of }) =>
    answers
      ? opinion(name, {
          timeline: of.timeline,
          lsn: of.lsn,
          failoverPriority: of.priority,
          canTakeOver: { able, why: '' },
        })
      : noAnswer(name),
  ),
);

describe('whom a member lets go first', () => {
  test('is one that answers, says that it can, and is further by timeline, log and priority', () => {
    fc.assert(
      fc.property(candidate, peers, (own, opinions) => {
        const report = betterPeer(own, opinions)?.report;
        if (report === undefined) return;
        expect(report.canTakeOver.able).toBe(true);
        const { timeline = 0, lsn: position = lsn(0n), failoverPriority: priority } = report;
        expect(compareCandidates({ timeline, lsn: position, priority }, own)).toBeGreaterThan(0);
      }),
    );
  });

  test('there is one or none whatever the order in which the answers came', () => {
    fc.assert(
      fc.property(candidate, peers, (own, opinions) => {
        const forth = betterPeer(own, opinions) === undefined;
        expect(betterPeer(own, opinions.toReversed()) === undefined).toBe(forth);
      }),
    );
  });
});

describe('the ranking for a planned hand-over', () => {
  const view = standby({ receivedLsn: END });
  const position = fc.constantFrom(END - 2_000_000n, END - 5n, END, END + 1n).map(lsn);
  const follower = fc.record({
    lsn: fc.option(position, { nil: undefined, freq: 6 }),
    timeline: fc.constantFrom(2, 3, 3, 3),
    role: fc.constantFrom('standby' as const, 'standby' as const, 'primary' as const),
    canTakeOver: fc.boolean().map((able) => ({ able, why: 'tagged nofailover' })),
    failoverPriority: fc.integer({ min: 0, max: 2 }),
  });
  const followers = fc
    .array(fc.option(follower, { nil: undefined, freq: 6 }), { maxLength: 5 })
    .map((list) =>
      list.map((given, at) =>
        given === undefined ? noAnswer(`pg${at + 3}`) : opinion(`pg${at + 3}`, given),
      ),
    );
  const rank = (opinions: readonly PeerOpinion[]) => rankPeers(orphaned({}, view), opinions);

  test('puts every member either among the candidates or, with a reason, among the refused', () => {
    fc.assert(
      fc.property(followers, (opinions) => {
        const { eligible, refused } = rank(opinions);
        const names = [...eligible.map(({ name }) => name), ...refused.map(({ name }) => name)];
        expect(names.toSorted()).toEqual(opinions.map(({ name }) => name).toSorted());
        for (const { why } of refused) expect(why).not.toBe('');
      }),
    );
  });

  test('has no candidate that says it cannot, is no standby, or is on another timeline', () => {
    fc.assert(
      fc.property(followers, (opinions) => {
        for (const { report } of rank(opinions).eligible) {
          expect(report).toMatchObject({ role: 'standby', timeline: 3 });
          expect(report?.canTakeOver.able).toBe(true);
          expect(END - (report?.lsn ?? lsn(0n))).toBeLessThanOrEqual(1_048_576n);
        }
      }),
    );
  });

  test('is by priority and then by log, in whatever order the answers came', () => {
    const place = ({ report }: PeerOpinion) => [report?.failoverPriority, report?.lsn];
    fc.assert(
      fc.property(followers, (opinions) => {
        const places = rank(opinions).eligible.map(place);
        expect(rank(opinions.toReversed()).eligible.map(place)).toEqual(places);
        const [first, ...others] = rank(opinions).eligible;
        for (const { report } of others) {
          const best = first?.report;
          expect(report?.failoverPriority).toBeLessThanOrEqual(best?.failoverPriority ?? -1);
          if (report?.failoverPriority !== best?.failoverPriority) continue;
          expect(report?.lsn ?? lsn(0n)).toBeLessThanOrEqual(best?.lsn ?? lsn(0n));
        }
      }),
    );
  });
});

/** Members of one cluster whose leader is gone; each hears of the others what is true. */
const aMemberOfAnElection = fc.record({
  timeline: fc.constantFrom(2, 3, 3, 3),
  lsn: fc.constantFrom(SWITCH - 1n, END - 2_000_000n, END - 1n, END, END + 9n).map(lsn),
  priority: fc.integer({ min: 0, max: 3 }),
  nofailover: fc.constantFrom(false, false, false, true),
  stray: fc.constantFrom(false, false, false, true),
  serves: fc.constantFrom(true, true, true, false),
});
const electorate = fc.array(aMemberOfAnElection, { minLength: 1, maxLength: 5 });
type Elector = typeof aMemberOfAnElection extends fc.Arbitrary<infer T> ? T : never;

function viewOf(members: readonly Elector[], self: number): View {
  const generation = present(aGeneration(), 15);
  const views = members.map((of, at) =>
    orphaned(
      { generation },
      of.serves
        ? standby({ timeline: of.timeline, receivedLsn: of.lsn, replayedLsn: of.lsn })
        : primary(),
      {
        self: `pg${at}`,
        settings: someSettings({
          name: `pg${at}`,
          tags: { nofailover: of.nofailover, failoverPriority: of.priority },
        }),
        host: aHost({ followed: { id: of.stray ? 'g9' : 'g5', timeline: of.timeline } }),
      },
    ),
  );
  const opinions = views.flatMap((view, at) => {
    const fitness = ownEligibility(view, false);
    const of = members[at];
    if (at === self || of === undefined) return [];
    const canTakeOver = { able: fitness.kind === 'eligible', why: fitness.why };
    const { timeline, lsn: position, priority } = of;
    const said = { timeline, lsn: position, failoverPriority: priority, canTakeOver };
    return [opinion(`pg${at}`, said)];
  });
  const view = views[self];
  if (view === undefined) throw new Error('no such member');
  return { ...view, ...asked(...opinions) };
}

describe('members that hear each other, when the leader is gone', () => {
  test('let exactly the best go: it goes at once, all others that are fit give it the first move', () => {
    fc.assert(
      fc.property(electorate, (members) => {
        const views = members.map((_, at) => viewOf(members, at));
        const fit = members.filter(
          (_, at) => ownEligibility(views[at] as View, false).kind === 'eligible',
        );
        const verdicts = views.map((view) => judgeTakeover(view, aMemory(), false).kind);
        const expected = members.map((of) => {
          if (!fit.includes(of)) return 'no';
          return fit.some((other) => compareCandidates(other, of) > 0) ? 'defer' : 'go';
        });
        expect(verdicts).toEqual(expected);
        if (fit.length > 0) expect(verdicts).toContain('go');
      }),
      { numRuns: 400 },
    );
  });

  test('never let one go that is tagged, has strayed, lags too far, or lacks the newest promotion', () => {
    fc.assert(
      fc.property(electorate, (members) => {
        for (const [at, of] of members.entries()) {
          if (judgeTakeover(viewOf(members, at), aMemory(), false).kind !== 'go') continue;
          expect(of).toMatchObject({ timeline: 3, nofailover: false, stray: false, serves: true });
          expect(of.priority).toBeGreaterThan(0);
          expect(of.lsn).toBeGreaterThanOrEqual(END - 1_048_576n);
        }
      }),
      { numRuns: 400 },
    );
  });
});
