import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { valueOf } from '../../../src/core/cluster.ts';
import { hasAmnesia, record } from '../../../src/core/facts.ts';
import type { Memory } from '../../../src/core/memory.ts';
import { isBound } from '../../../src/core/promise.ts';
import { judgeTakeover } from '../../../src/core/takeover.ts';
import type { TakeoverVerdict } from '../../../src/core/takeover-verdict.ts';
import { plus } from '../../../src/core/time.ts';
import type { PeerOpinion, View } from '../../../src/core/view.ts';
import { opinion } from '../../harness/views.ts';
import { electionMemory, electionView } from './arbitrary-elections.ts';

const RUNS = { numRuns: 5000 };
const forced = fc.boolean();
type Go = TakeoverVerdict & { readonly kind: 'go' };

/** Every view in which it goes, and how; other views say nothing here. */
const whenItGoes = (holds: (view: View, go: Go, forced: boolean, memory: Memory) => void): void => {
  let seen = 0;
  fc.assert(
    fc.property(electionView, electionMemory, forced, (view, memory, byOperator) => {
      const verdict = judgeTakeover(view, memory, byOperator);
      if (verdict.kind !== 'go') return;
      seen += 1;
      holds(view, verdict, byOperator, memory);
    }),
    RUNS,
  );
  expect(seen).toBeGreaterThan(100);
};

const leaseOf = (view: View) => {
  const cluster = record(view);
  return cluster === undefined ? undefined : valueOf(cluster.lease);
};
const generationOf = (view: View) => {
  const cluster = record(view);
  return cluster === undefined ? undefined : valueOf(cluster.generation);
};

/** The holder itself named this member, and waits for it alone: nobody else is asked. */
const isNamed = (view: View, go: Go): boolean =>
  go.basis === 'released' && leaseOf(view)?.released?.handoff === view.self;

const withOpinion = (view: View, said: PeerOpinion): View =>
  view.canvass === undefined
    ? view
    : { ...view, canvass: { ...view.canvass, opinions: [...view.canvass.opinions, said] } };

describe('a takeover', () => {
  test('without a release and of another lease waits ttl, 1 % and 50 ms from the receipt of the record', () => {
    whenItGoes((view, go) => {
      if (go.basis === 'released' || go.basis === 'own-lapsed') return;
      const lease = leaseOf(view);
      const observation = view.observation;
      if (observation === undefined) throw new Error('it goes without having observed anything');
      const readable = lease !== undefined && !hasAmnesia(view) && !observation.overtaken;
      const ttlMillis = readable ? lease.ttlMillis : view.settings.policy.timing.ttlMillis;
      expect(view.now - observation.seenAt).toBeGreaterThanOrEqual(ttlMillis * 1.01 + 50);
    });
  });

  test('before that time is on a release of this very generation, or on a lapsed lease of its own', () => {
    whenItGoes((view, go) => {
      if (go.basis !== 'released' && go.basis !== 'own-lapsed') return;
      expect(hasAmnesia(view)).toBe(false);
      expect(view.observation?.overtaken).toBe(false);
      if (go.basis === 'own-lapsed') expect(generationOf(view)?.id).toBe(view.lapsedId);
      else expect(leaseOf(view)?.id).toBe(generationOf(view)?.id);
      if (go.basis === 'released') expect(leaseOf(view)?.released).toBeDefined();
    });
  });

  test('is of a generation above all that anybody asked has seen', () => {
    whenItGoes((view, go) => {
      const heard = isNamed(view, go) ? [] : (view.canvass?.opinions ?? []);
      const seen = heard.map(({ report }) => report?.highestGeneration.n ?? 0);
      for (const n of [...seen, generationOf(view)?.n ?? 0, view.host.floor.n]) {
        expect(go.n).toBeGreaterThan(n);
      }
    });
  });

  test('rests on what the others said after the lease was over, and not long ago', () => {
    whenItGoes((view, go) => {
      if (isNamed(view, go)) return;
      const { canvass, observation } = view;
      if (canvass?.finishedAt === undefined || observation === undefined) {
        throw new Error('it goes without having heard the others');
      }
      expect(view.now - canvass.finishedAt).toBeLessThanOrEqual(1000);
      const early = go.basis === 'released' || go.basis === 'own-lapsed';
      const waitedMillis = early ? 0 : view.settings.policy.timing.ttlMillis * 1.01 + 50;
      expect(canvass.askedAt - observation.seenAt).toBeGreaterThanOrEqual(waitedMillis);
    });
  });

  test('is never begun by who has promised to hold back, or has another one open', () => {
    whenItGoes((view) => {
      expect(isBound(view.promised, record(view), view.now)).toBe(false);
      expect(view.takeover).toBeUndefined();
    });
  });

  test('is stopped by anyone who holds the lease, knows a newer generation or saw a newer heartbeat', () => {
    whenItGoes((view, go, byOperator, memory) => {
      if (isNamed(view, go)) return;
      const lease = leaseOf(view);
      const beat = Math.max(lease?.beat ?? 0, view.newestBeat?.beat ?? 0) + 1;
      const able = {
        canTakeOver: { able: false, why: '' },
        highestGeneration: { n: 0, id: undefined },
      };
      const objections = [
        opinion('pg4', { ...able, newestBeat: undefined, holdsLease: { id: 'g9', n: 1 } }),
        opinion('pg4', {
          ...able,
          newestBeat: undefined,
          highestGeneration: { n: go.n, id: 'g9' },
        }),
        ...(lease === undefined
          ? []
          : [opinion('pg4', { ...able, newestBeat: { id: lease.id, beat } })]),
      ];
      for (const said of objections) {
        const verdict = judgeTakeover(withOpinion(view, said), memory, byOperator);
        expect(['no', 'floor', 'stale']).toContain(verdict.kind);
      }
    });
  });

  test('is stopped by no silence: a member that does not answer changes nothing', () => {
    whenItGoes((view, go, byOperator, memory) => {
      const silent: PeerOpinion = { name: 'pg4', report: undefined };
      expect(judgeTakeover(withOpinion(view, silent), memory, byOperator)).toEqual(go);
    });
  });
});

describe('time', () => {
  /** The same, but the record was received later. */
  const younger = (view: View, millis: number): View => {
    const before = view.observation;
    if (before === undefined) return view;
    const releasedAt =
      before.releasedAt === undefined ? undefined : plus(before.releasedAt, millis);
    return { ...view, observation: { ...before, seenAt: plus(before.seenAt, millis), releasedAt } };
  };

  test('a record that was received later never allows what an earlier receipt forbids', () => {
    fc.assert(
      fc.property(
        electionView,
        electionMemory,
        forced,
        fc.integer({ min: 1, max: 10_000 }),
        (view, memory, byOperator, millis) => {
          const unbiased = { ...memory, deferral: undefined };
          const later = judgeTakeover(younger(view, millis), unbiased, byOperator);
          if (later.kind !== 'go') return;
          expect(judgeTakeover(view, unbiased, byOperator).kind).toBe('go');
        },
      ),
      RUNS,
    );
  });

  test('what a member waits for lies ahead of it, so that it never waits for nothing', () => {
    fc.assert(
      fc.property(electionView, electionMemory, forced, (view, memory, byOperator) => {
        const verdict = judgeTakeover(view, memory, byOperator);
        if (verdict.kind !== 'wait' && verdict.kind !== 'defer') return;
        if (verdict.until !== undefined) expect(verdict.until).toBeGreaterThan(view.now);
      }),
      RUNS,
    );
  });

  test('a member that lets another go first does so for two seconds at most', () => {
    fc.assert(
      fc.property(electionView, electionMemory, forced, (view, memory, byOperator) => {
        const verdict = judgeTakeover(view, memory, byOperator);
        if (verdict.kind !== 'defer') return;
        const begun =
          memory.deferral?.observedAt === view.observation?.seenAt
            ? (memory.deferral?.since ?? view.now)
            : view.now;
        expect(verdict.until).toBeLessThanOrEqual(begun + 2000);
      }),
      RUNS,
    );
  });
});
