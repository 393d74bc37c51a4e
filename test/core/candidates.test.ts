import { describe, expect, test } from 'vitest';
import { promotedGeneration } from '../../src/core/branch.ts';
import { betterPeer, ownEligibility, rankPeers } from '../../src/core/candidates.ts';
import { ABSENT } from '../../src/core/cluster.ts';
import { lsn } from '../../src/core/lsn.ts';
import type { View } from '../../src/core/view.ts';
import { someSettings } from '../harness/settings.ts';
import {
  aGeneration,
  aHost,
  aRecord,
  aView,
  down,
  END,
  garbled,
  noAnswer,
  opinion,
  present,
  primary,
  seen,
  silent,
  standby,
  SWITCH,
} from '../harness/views.ts';

const record = (given: Parameters<typeof aRecord>[0]) => seen(aRecord(given), 200);
const optime = (bytes: bigint) => present({ optime: lsn(END + bytes), slots: {}, retainSlots: [] });
const tagged = (tags: NonNullable<Parameters<typeof someSettings>[0]>['tags'] & object) => ({
  settings: someSettings({ tags }),
});
const G5 = { id: 'g5', timeline: 3, switchLsn: SWITCH };
const zombie = { host: aHost({ promotions: [{ id: 'g5x', timeline: 3, switchLsn: SWITCH }] }) };

interface Row {
  readonly title: string;
  readonly view: View;
  readonly forced?: boolean;
  /** Absent: eligible. */
  readonly why?: RegExp;
}

const rows: readonly Row[] = [
  { title: 'a streaming standby on the timeline of the leader', view: aView() },
  {
    title: 'a standby that lags exactly the limit',
    view: aView(record({ status: optime(1_048_576n) })),
  },
  {
    title: 'a standby one byte beyond the limit',
    view: aView(record({ status: optime(1_048_577n) })),
    why: /lags 1048577 bytes, more than maximum_lag_on_failover 1048576/,
  },
  {
    title: 'a standby beyond the limit when an operator accepts the loss',
    view: aView(record({ status: optime(1_048_577n) })),
    forced: true,
  },
  {
    title: 'a standby when the position of the leader is not known',
    view: aView(record({ status: garbled() })),
  },
  {
    title: 'a standby that is ahead of the position last published',
    view: aView(record({ status: present({ optime: lsn(1n), slots: {}, retainSlots: [] }) })),
  },
  {
    title: 'a standby tagged nofailover',
    view: aView(tagged({ nofailover: true })),
    why: /nofailover/,
  },
  {
    title: 'a standby tagged nofailover that an operator names',
    view: aView(tagged({ nofailover: true })),
    forced: true,
  },
  {
    title: 'a standby of priority 0',
    view: aView(tagged({ failoverPriority: 0 })),
    why: /nofailover/,
  },
  {
    title: 'a standby of negative priority',
    view: aView(tagged({ failoverPriority: -1 })),
    why: /nofailover/,
  },
  { title: 'a primary', view: aView(primary()), why: /Postgres is primary, not a running standby/ },
  { title: 'a server that is down', view: aView(down()), why: /Postgres is down/ },
  { title: 'a server that does not answer', view: aView(silent()), why: /Postgres is unanswered/ },
  {
    title: 'a server that does not answer, even when an operator names it',
    view: aView(silent()),
    forced: true,
    why: /Postgres is unanswered/,
  },
  {
    title: 'data of another system, even when an operator names it',
    view: aView(standby({ systemIdentifier: '1111111111111111111' })),
    forced: true,
    why: /is not the cluster's/,
  },
  {
    title: 'a standby whose position is unknown',
    view: aView(standby({ receivedLsn: undefined, replayedLsn: undefined })),
    why: /position is unknown/,
  },
  {
    title: 'a standby that replayed from the archive and received nothing',
    view: aView(standby({ receivedLsn: undefined })),
  },
  {
    title: 'a standby that went on past the switch to the present timeline',
    view: aView(standby({ timeline: 2 })),
    why: /past 0\/3000000 where the cluster's went on/,
  },
  {
    title: 'the same, even when an operator names it',
    view: aView(standby({ timeline: 2 })),
    forced: true,
    why: /past 0\/3000000/,
  },
  {
    title: 'a standby whose log ends before the present timeline began: it is only behind',
    view: aView(
      record({ status: ABSENT }),
      standby({ timeline: 2, receivedLsn: SWITCH, replayedLsn: SWITCH }),
    ),
  },
  {
    title: 'the same, too far behind',
    view: aView(standby({ timeline: 2, receivedLsn: SWITCH, replayedLsn: SWITCH })),
    why: /more than maximum_lag_on_failover/,
  },
  {
    title: 'the same, where a promotion in between may not be recorded',
    view: aView(
      record({
        status: ABSENT,
        generation: present(
          aGeneration({ timeline: 4, ancestors: [{ id: 'g4', timeline: 2, switchLsn: lsn(1n) }] }),
        ),
      }),
      standby({ timeline: 2, receivedLsn: lsn(2n), replayedLsn: lsn(2n) }),
    ),
    why: /timeline 2 lacks the switch to the present one/,
  },
  {
    title: 'the same, where the record does not know its timeline',
    view: aView(
      record({ status: ABSENT, generation: present(aGeneration({ ancestors: [] })) }),
      standby({ timeline: 2, receivedLsn: lsn(2n), replayedLsn: lsn(2n) }),
    ),
    why: /timeline 2 lacks the switch to the present one/,
  },
  {
    title: 'a standby whose log ends before its timeline began',
    view: aView(
      record({ status: ABSENT }),
      standby({ receivedLsn: lsn(SWITCH - 1n), replayedLsn: lsn(SWITCH - 1n) }),
    ),
    why: /before timeline 3 began/,
  },
  {
    title: 'a standby that lacks the switch of the last generation that promoted',
    view: aView(
      record({
        generation: present(
          aGeneration({
            n: 6,
            id: 'g6',
            timeline: 0,
            ancestors: [{ id: 'g5', timeline: 4, switchLsn: lsn(END - 1n) }],
          }),
        ),
      }),
    ),
    why: /lacks the switch to the present one/,
  },
  {
    title: 'a standby while no generation has promoted yet',
    view: aView(record({ generation: present(aGeneration({ timeline: 0, ancestors: [] })) })),
  },
  {
    title: 'a standby of a store without a generation',
    view: aView(record({ generation: ABSENT })),
  },
  {
    title: 'a former primary whose promotion the cluster does not know, under the same number',
    view: aView(zombie),
    why: /timeline 3 is that of generation g5x/,
  },
  {
    title: 'the same, even when an operator names it',
    view: aView(zombie),
    forced: true,
    why: /is that of generation g5x/,
  },
  {
    title: 'a former primary whose promotion the cluster knows',
    view: aView({ host: aHost({ promotions: [{ id: 'g5', timeline: 3, switchLsn: SWITCH }] }) }),
  },
  {
    title: 'a former primary whose promotion is an ancestor of the present generation',
    view: aView(
      record({
        generation: present(aGeneration({ n: 6, id: 'g6', timeline: 0, ancestors: [G5] })),
      }),
      { host: aHost({ promotions: [G5] }) },
    ),
  },
  {
    title: 'a former primary that promoted twice under an ancestor, of which the cluster knows one',
    view: aView({ host: aHost({ promotions: [{ ...G5, id: 'g4' }] }) }),
    why: /timeline 3 is that of generation g4, which the cluster does not know/,
  },
  {
    title: 'the leader of now, which has promoted further than it has recorded',
    view: aView(
      record({ generation: present(aGeneration({ timeline: 2, ancestors: [] })), status: ABSENT }),
      { host: aHost({ promotions: [G5] }) },
    ),
  },
  {
    title: 'a standby that followed a leader which the cluster does not know',
    view: aView({ host: aHost({ followed: { id: 'g5x', timeline: 3 } }) }),
    why: /timeline 3 is that of generation g5x/,
  },
  {
    title: 'a standby that followed an ancestor of the present generation',
    view: aView({ host: aHost({ followed: { id: 'g4', timeline: 2 } }) }),
  },
  {
    title:
      'a standby that was pointed at a leader which the cluster does not know, and got nothing',
    view: aView({ host: aHost({ followed: { id: 'g5x', timeline: 4 } }) }),
  },
  {
    title: 'a standby of which nothing is known whom it followed',
    view: aView({ host: aHost({ followed: undefined }) }),
  },
  {
    title: 'a former primary in a store that has lost its promotion: the store is no authority',
    view: aView({ host: { ...zombie.host, floor: { n: 6, id: 'g5x' } } }),
  },
  {
    title: 'anybody before Consul was read: unknown is not yes',
    view: aView({ cluster: undefined }),
    why: /Consul has not been read yet/,
  },
];

describe('may take over with its data', () => {
  for (const { title, view, forced = false, why } of rows) {
    test(`${why === undefined ? 'yes' : 'no'}: ${title}`, () => {
      const verdict = ownEligibility(view, forced);
      if (why === undefined) expect(verdict.kind).toBe('eligible');
      else expect(verdict).toMatchObject({ kind: 'ineligible', why: expect.stringMatching(why) });
    });
  }

  test('its position is the furthest of what it received and what it replayed', () => {
    const verdict = ownEligibility(
      aView(record({ status: ABSENT }), standby({ replayedLsn: lsn(END + 9n) })),
      false,
    );
    expect(verdict).toMatchObject({ kind: 'eligible', lsn: lsn(END + 9n), timeline: 3 });
  });
});

describe('the history of the cluster', () => {
  test('is that of the generation itself once it has promoted', () => {
    expect(promotedGeneration(aGeneration())?.id).toBe('g5');
  });

  test('is that of the newest ancestor that has, until then', () => {
    const generation = aGeneration({
      timeline: 0,
      ancestors: [
        { id: 'g4', timeline: 0, switchLsn: lsn(0n) },
        { id: 'g3', timeline: 2, switchLsn: SWITCH },
      ],
    });
    expect(promotedGeneration(generation)?.id).toBe('g3');
  });

  test('is unknown when none has', () => {
    expect(promotedGeneration(aGeneration({ timeline: 0, ancestors: [] }))).toBeUndefined();
    expect(promotedGeneration(undefined)).toBeUndefined();
  });
});

describe('whom to let go first', () => {
  const own = { timeline: 3, lsn: END, priority: 1 };
  const ahead = { lsn: lsn(END + 1n) };

  test.each([
    ['one whose log is longer', opinion('pg3', ahead), 'pg3'],
    [
      'one on a newer timeline with a shorter log',
      opinion('pg3', { timeline: 4, lsn: SWITCH }),
      'pg3',
    ],
    ['one of higher priority among equals', opinion('pg3', { failoverPriority: 2 }), 'pg3'],
    ['nobody who is equal', opinion('pg3'), undefined],
    [
      'nobody whose log is longer on an older timeline',
      opinion('pg3', { ...ahead, timeline: 2 }),
      undefined,
    ],
    [
      'nobody who has priority but less of the log',
      opinion('pg3', { lsn: SWITCH, failoverPriority: 9 }),
      undefined,
    ],
    ['nobody who does not answer', noAnswer('pg3'), undefined],
    [
      'nobody who says that it cannot',
      opinion('pg3', { ...ahead, canTakeOver: { able: false, why: '' } }),
      undefined,
    ],
    [
      'nobody whose timeline is unknown',
      opinion('pg3', { ...ahead, timeline: undefined }),
      undefined,
    ],
    ['nobody whose position is unknown', opinion('pg3', { lsn: undefined }), undefined],
  ])('%s', (_title, peer, wanted) => {
    expect(betterPeer(own, [peer])?.name).toBe(wanted);
  });

  test('the best of several, whatever the order of their answers', () => {
    const better = [
      opinion('pg3', ahead),
      opinion('pg4', { timeline: 4, lsn: SWITCH }),
      opinion('pg5', { lsn: lsn(END + 2n) }),
    ];
    expect(betterPeer(own, better)?.name).toBe('pg4');
    expect(betterPeer(own, better.toReversed())?.name).toBe('pg4');
  });
});

describe('whom to hand over to', () => {
  const leads = aView(primary());
  const rank = (...opinions: Parameters<typeof rankPeers>[1]) => {
    const ranked = rankPeers(leads, opinions);
    return {
      names: ranked.eligible.map((peer) => peer.name),
      refused: Object.fromEntries(ranked.refused.map(({ name, why }) => [name, why])),
    };
  };

  test('the one that the operator prefers, then the one with the longest log', () => {
    expect(
      rank(
        opinion('behind', { lsn: lsn(END - 16n) }),
        opinion('ahead'),
        opinion('preferred', { lsn: lsn(END - 32n), failoverPriority: 5 }),
      ).names,
    ).toEqual(['preferred', 'ahead', 'behind']);
  });

  test('those of equal rank in the order in which they were asked', () => {
    expect(rank(opinion('pg1'), opinion('pg3'), opinion('pg4')).names).toEqual([
      'pg1',
      'pg3',
      'pg4',
    ]);
  });

  test('a running standby on the same timeline within the limit, and nobody else', () => {
    const { names, refused } = rank(
      noAnswer('silent'),
      opinion('primary', { role: 'primary' }),
      opinion('strange', { role: 'unknown' }),
      opinion('old', { timeline: 2 }),
      opinion('tagged', { canTakeOver: { able: false, why: 'tagged nofailover' } }),
      opinion('blind', { lsn: undefined }),
      opinion('far', { lsn: lsn(END - 1_048_577n) }),
      opinion('near', { lsn: lsn(END - 1_048_576n) }),
    );
    expect(names).toEqual(['near']);
    expect(refused).toEqual({
      silent: 'does not answer',
      primary: 'its Postgres is primary, not a running standby',
      strange: 'its Postgres is unknown, not a running standby',
      old: 'is on timeline 2, not 3',
      tagged: 'tagged nofailover',
      blind: 'its log position is unknown',
      far: 'lags 1048577 bytes, more than maximum_lag_on_failover 1048576',
    });
  });

  test('measured by the files once the server is down', () => {
    const stopped = aView(down({ state: 'shut down', checkpointLsn: lsn(END + 2_000_000n) }));
    expect(rankPeers(stopped, [opinion('pg3')]).eligible).toEqual([]);
  });
});
