import { ABSENT } from '../../../src/core/cluster.ts';
import type { FailoverRequest } from '../../../src/core/cluster.ts';
import { waitMillis } from '../../../src/core/lease.ts';
import { lsn } from '../../../src/core/lsn.ts';
import type { View } from '../../../src/core/view.ts';
import { everyone, orphaned, silentFor, takeover, WAIT_MILLIS } from '../../harness/elections.ts';
import { decides } from '../../harness/rule-table.ts';
import {
  ago,
  ahead,
  aLease,
  aMemory,
  aRecord,
  asked,
  aView,
  noAnswer,
  opinion,
  present,
  seen,
  SELF,
  SILENCE_MILLIS,
} from '../../harness/views.ts';

const over = takeover('lease-over');
const better = { lsn: lsn(0x5000008n) };

decides([
  {
    when: 'asks again when the answers are from before the lease was over',
    view: aView(silentFor(WAIT_MILLIS + 29), everyone),
    rule: 'R410',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'asks again when the answers are more than a second old',
    view: orphaned(
      {},
      {
        canvass: { askedAt: ago(1300), finishedAt: ago(1001), opinions: [opinion('pg3')] },
      },
    ),
    rule: 'R410',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'waits for the answers',
    view: orphaned({}, { canvass: { askedAt: ago(5), finishedAt: undefined, opinions: [] } }),
    rule: 'R590',
    why: /waits for the answers/,
  },
  {
    when: 'stops when a member says that it holds a valid lease',
    view: orphaned({}, asked(opinion('pg1', { holdsLease: { id: 'g5', n: 5 } }))),
    rule: 'R590',
    why: /pg1 says that it holds a valid lease/,
  },
  {
    when: 'learns of a newer generation from a member before it goes on',
    view: orphaned({}, asked(opinion('pg3', { highestGeneration: { n: 8, id: 'g8' } }))),
    rule: 'R410',
    actions: [{ kind: 'raise-floor', n: 8, id: 'g8' }],
  },
  {
    when: 'begins to observe anew when a member saw a newer heartbeat',
    view: orphaned({}, asked(opinion('pg3', { newestBeat: { id: 'g5', beat: 8 } }))),
    rule: 'R410',
    actions: [{ kind: 'restart-observation', beat: { id: 'g5', beat: 8 } }],
  },
  {
    when: 'does not begin anew for a heartbeat that it was told of already',
    view: orphaned({}, asked(opinion('pg3', { newestBeat: { id: 'g5', beat: 8 } })), {
      newestBeat: { id: 'g5', beat: 8 },
    }),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'gives a member whose server is starting a moment: it may have more of the log',
    view: orphaned({}, asked(opinion('pg3', { lsn: undefined, state: 'starting' }))),
    rule: 'R410',
    why: /pg3 is starting and may be further/,
    remembers: { deferral: { to: 'pg3' } },
  },
  {
    when: 'does not wait for it for more than two seconds',
    view: orphaned({}, asked(opinion('pg3', { lsn: undefined, state: 'starting' }))),
    memory: aMemory({
      deferral: { to: 'pg3', since: ago(2000), observedAt: ago(SILENCE_MILLIS) },
    }),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'takes over when nobody answers at all',
    view: orphaned({}, asked(noAnswer('pg1'), noAnswer('pg3'))),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'lets a member with a longer log go first',
    view: orphaned({}, asked(opinion('pg3', better))),
    rule: 'R410',
    why: /pg3 is further/,
    waitsFor: /pg3 to take over/,
    remembers: {
      deferral: { to: 'pg3', since: ago(0), observedAt: ago(SILENCE_MILLIS) },
    },
  },
  {
    when: 'lets a member with a longer log go first for two seconds at most',
    view: orphaned({}, asked(opinion('pg3', better))),
    memory: aMemory({
      deferral: { to: 'pg3', since: ago(2000), observedAt: ago(SILENCE_MILLIS) },
    }),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'still lets it go first just before that',
    view: orphaned({}, asked(opinion('pg3', better))),
    memory: aMemory({
      deferral: { to: 'pg3', since: ago(1999), observedAt: ago(SILENCE_MILLIS) },
    }),
    rule: 'R410',
    wakeAt: ahead(1),
  },
  {
    when: 'defers anew when the record has moved since',
    view: orphaned({}, asked(opinion('pg3', better))),
    memory: aMemory({ deferral: { to: 'pg3', since: ago(9000), observedAt: ago(99_999) } }),
    rule: 'R410',
    remembers: { deferral: { since: ago(0) } },
  },
  {
    when: 'does not defer to one with a longer log that cannot take over',
    view: orphaned(
      {},
      asked(
        opinion('pg3', { ...better, canTakeOver: { able: false, why: 'cannot reach Consul' } }),
      ),
    ),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'does not defer to one whose position is unknown',
    view: orphaned({}, asked(opinion('pg3', { lsn: undefined }))),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'does not defer to one with a longer log on an older timeline',
    view: orphaned({}, asked(opinion('pg3', { ...better, timeline: 2 }))),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'lets a member of higher priority go first among equals',
    view: orphaned({}, asked(opinion('pg3', { failoverPriority: 2 }))),
    rule: 'R410',
    why: /pg3 is further/,
  },
]);

const wanted = (given: Partial<FailoverRequest> = {}) => ({
  failover: present({ leader: undefined, candidate: 'pg3', scheduledAt: undefined, ...given }, 70),
});

decides([
  {
    when: 'lets the candidate of a requested failover go first among equals',
    view: orphaned(wanted(), asked(opinion('pg1', { failoverPriority: 2 }), opinion('pg3'))),
    rule: 'R410',
    why: /key failover names pg3/,
    waitsFor: /pg3 to take over/,
    remembers: { deferral: { to: 'pg3' } },
  },
  {
    when: 'lets that candidate go first for two seconds at most',
    view: orphaned(wanted(), asked(opinion('pg3'))),
    memory: aMemory({
      deferral: { to: 'pg3', since: ago(2000), observedAt: ago(SILENCE_MILLIS) },
    }),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'does not let a candidate go first that has less of the log',
    view: orphaned(wanted(), asked(opinion('pg3', { lsn: lsn(0x4000000n) }))),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'does not wait for a candidate that cannot take over',
    view: orphaned(
      wanted(),
      asked(opinion('pg3', { canTakeOver: { able: false, why: 'tagged nofailover' } })),
    ),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'does not wait for a candidate that does not answer',
    view: orphaned(wanted(), asked(noAnswer('pg3'))),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'takes a request that is scheduled for no order of now',
    view: orphaned(wanted({ scheduledAt: '2030-01-01T00:00:00Z' }), asked(opinion('pg3'))),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'waits for nobody when the failover is to itself',
    view: orphaned(wanted({ candidate: SELF }), asked(opinion('pg3'))),
    rule: 'R410',
    actions: over,
  },
]);

/** Its lease reaches beyond its ttl, for members that are listed have promised before. */
const URL = (name: string) => `http://${name}.example:8008/patroni`;
const reaching = {
  lease: present(aLease({ reachMillis: 15_000 }), 20),
  failsafe: present({ pg1: URL('pg1'), [SELF]: URL(SELF), pg3: URL('pg3') }, 40),
};
const free = opinion('pg3', { promiseFreeMillis: 1000 });
const bound = opinion('pg3', { promiseFreeMillis: undefined });
const lately = (...parts: readonly Partial<View>[]): View =>
  aView(silentFor(WAIT_MILLIS + 1000, reaching), ...parts);
const reached = aView(
  seen(aRecord({ ...reaching, leader: ABSENT }), waitMillis(15_000)),
  asked(noAnswer('pg1'), noAnswer('pg3')),
);

decides([
  {
    when: 'takes over when most members say that no promise binds them',
    view: lately(asked(noAnswer('pg1'), free)),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'waits when the others may have promised to the leader, and asks them again',
    view: lately({
      canvass: { askedAt: ago(400), finishedAt: ago(300), opinions: [noAnswer('pg1'), bound] },
    }),
    rule: 'R410',
    why: /too few members have said that no promise binds them/,
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'does not ask them without a pause',
    view: lately({
      canvass: { askedAt: ago(400), finishedAt: ago(299), opinions: [noAnswer('pg1'), bound] },
    }),
    rule: 'R410',
    actions: [],
    wakeAt: ahead(1),
  },
  {
    when: 'says so while it asks again',
    view: lately({
      canvass: { askedAt: ago(5), finishedAt: undefined, opinions: [] },
    }),
    rule: 'R410',
    why: /too few members have said that no promise binds them/,
    actions: [],
  },
  {
    when: 'takes over alone when no lease reaches that far',
    view: reached,
    rule: 'R410',
    actions: over,
  },
  {
    when: 'does not, a millisecond before',
    view: aView(
      seen(aRecord({ ...reaching, leader: ABSENT }), waitMillis(15_000) - 1),
      asked(noAnswer('pg1'), noAnswer('pg3')),
    ),
    rule: 'R410',
    why: /too few members/,
    actions: [],
    wakeAt: ahead(1),
  },
]);
