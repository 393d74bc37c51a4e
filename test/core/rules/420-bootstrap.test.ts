import { ABSENT } from '../../../src/core/cluster.ts';
import type { ClusterRecord } from '../../../src/core/cluster.ts';
import { waitMillis } from '../../../src/core/lease.ts';
import type { View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings, TTL_MILLIS } from '../../harness/settings.ts';
import {
  aGeneration,
  aHost,
  aLease,
  aMember,
  aMemory,
  aView,
  ahead,
  ago,
  anEmptyRecord,
  asked,
  down,
  leaderKey,
  noAnswer,
  opinion,
  present,
  released,
  seen,
  SELF,
  SILENCE_MILLIS,
  standby,
  withoutData,
} from '../../harness/views.ts';

const WAIT_MILLIS = waitMillis(TTL_MILLIS);
const NONE = { n: 0, id: undefined };
const NEW_HOST = { host: aHost({ floor: NONE, systemIdentifier: undefined }) };
const emptyFor = (
  millis: number,
  given: Partial<ClusterRecord> = {},
  ...parts: readonly Partial<View>[]
): View => aView(seen(anEmptyRecord(given), millis), withoutData(), NEW_HOST, ...parts);
/** Empty for long, and all members, if any, have been asked since. */
const emptyAndAsked = (
  given: Partial<ClusterRecord> = {},
  ...parts: readonly Partial<View>[]
): View => emptyFor(SILENCE_MILLIS, given, asked(), ...parts);
const found = (n: number) => [{ kind: 'takeover', n, basis: 'bootstrap' } as const];
const dead = present(aGeneration({ n: 1, timeline: 0 }));

decides([
  {
    when: 'founds a cluster when the store was empty for a full wait and nobody objects',
    view: emptyAndAsked(),
    rule: 'R420',
    actions: found(1),
  },
  {
    when: 'asks the members first, if there are any, the moment the wait has ended',
    view: emptyFor(WAIT_MILLIS),
    rule: 'R420',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'asks again when the answers are from before that',
    view: emptyFor(WAIT_MILLIS + 29, {}, asked()),
    rule: 'R420',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'waits for the answers',
    view: emptyFor(
      SILENCE_MILLIS,
      {},
      { canvass: { askedAt: ago(30), finishedAt: undefined, opinions: [] } },
    ),
    rule: 'R420',
    why: /asks the other members/,
    wakeAt: ahead(100),
  },
  {
    when: 'does not found one beside a member that has the data of a cluster',
    view: emptyAndAsked({}, asked(opinion('pg3', { highestGeneration: NONE }))),
    rule: 'R420',
    why: /pg3 has the data of a cluster/,
  },
  {
    when: 'does not found one beside a member that holds a lease',
    view: emptyAndAsked({}, asked(opinion('pg3', { holdsLease: { id: 'g1', n: 1 } }))),
    rule: 'R420',
    why: /holds a valid lease/,
  },
  {
    when: 'does not found one beside a member that has seen a generation',
    view: emptyAndAsked(
      {},
      asked(opinion('pg3', { systemIdentifier: undefined, highestGeneration: { n: 4, id: 'g4' } })),
    ),
    rule: 'R420',
    actions: [{ kind: 'raise-floor', n: 4, id: 'g4' }],
    why: /has seen generation 4/,
  },
  {
    when: 'observes afresh when a member has read a newer heartbeat',
    view: emptyAndAsked(
      { generation: dead, lease: present(aLease({ id: 'g1' })) },
      asked(
        opinion('pg3', {
          systemIdentifier: undefined,
          highestGeneration: NONE,
          newestBeat: { id: 'g1', beat: 8 },
        }),
      ),
    ),
    rule: 'R420',
    actions: [{ kind: 'restart-observation', beat: { id: 'g1', beat: 8 } }],
  },
  {
    when: 'founds one beside members that are as new as itself',
    view: emptyAndAsked(
      {},
      asked(opinion('pg3', { systemIdentifier: undefined, highestGeneration: NONE })),
    ),
    rule: 'R420',
    actions: found(1),
  },
  {
    when: 'founds one beside members that do not answer',
    view: emptyAndAsked({}, asked(noAnswer('pg3'))),
    rule: 'R420',
    actions: found(1),
  },
  {
    when: 'watches the emptiness like a lease',
    view: emptyFor(WAIT_MILLIS - 1),
    rule: 'R420',
    why: /watches for a lease/,
    wakeAt: ahead(1),
  },
  {
    when: 'supersedes a bootstrapper that died',
    view: emptyAndAsked({ generation: dead, lease: present(aLease()) }),
    rule: 'R420',
    actions: found(2),
  },
  {
    when: 'leaves a bootstrapper that lives alone',
    view: emptyFor(100, { generation: dead, lease: present(aLease()) }),
    rule: 'R420',
    why: /watches for a lease/,
  },
  {
    when: 'takes over at once from one that gave up',
    view: emptyFor(
      10,
      { generation: dead, lease: released() },
      { canvass: { askedAt: ago(8), finishedAt: ago(2), opinions: [] } },
    ),
    rule: 'R420',
    actions: found(2),
  },
  {
    when: 'lets others try first after it gave up itself',
    view: emptyFor(0, { generation: dead, lease: released({ exclude: [SELF] }) }),
    rule: 'R420',
    why: /lets others try first/,
  },
  {
    when: 'lets members with data go first in a store that was wiped',
    view: emptyFor(WAIT_MILLIS, { members: [aMember('pg3')] }),
    rule: 'R420',
    wakeAt: ahead(WAIT_MILLIS),
  },
  {
    when: 'founds nothing on a host that belonged to a cluster: its record was lost',
    view: emptyAndAsked({}, { host: aHost({ floor: NONE }) }),
    rule: 'R420',
    why: /belonged to a cluster/,
    waitsFor: /the members that have its data/,
  },
  {
    when: 'founds one above the generation of a founding that this host has seen and the store lost',
    view: emptyAndAsked({}, asked(), { host: aHost({ systemIdentifier: undefined }) }),
    rule: 'R420',
    actions: found(6),
  },
  {
    when: 'founds none in a store that lost a generation while a member does not answer',
    view: emptyAndAsked({}, asked({ name: 'pg3', report: undefined }), {
      host: aHost({ systemIdentifier: undefined }),
    }),
    rule: 'R420',
    why: /pg3 does not answer: it may have the data/,
    waitsFor: /remove the state directory/,
  },
  {
    when: 'takes a release for no proof of anything in a store that shows less than this host has seen',
    view: emptyFor(
      WAIT_MILLIS - 1,
      { generation: dead, lease: released() },
      { host: aHost({ systemIdentifier: undefined }), ...asked() },
    ),
    rule: 'R420',
    why: /watches for a lease/,
  },
  {
    when: 'keeps its promise to a leader that cannot reach Consul',
    view: emptyAndAsked(
      {},
      { promised: { leaseId: 'g1', until: ahead(900), aloneUntil: ahead(12_900) } },
    ),
    rule: 'R420',
    why: /promised/,
    wakeAt: ahead(900),
  },
  {
    when: 'founds one where its own initdb was broken off',
    view: emptyAndAsked(
      {},
      withoutData({ kind: 'unfinished', work: 'initialise', systemIdentifier: undefined }),
    ),
    rule: 'R420',
    actions: found(1),
  },
  {
    when: 'does not found one over a clone that was broken off',
    view: emptyFor(
      WAIT_MILLIS,
      {},
      withoutData({ kind: 'unfinished', work: 'clone', systemIdentifier: undefined }),
    ),
    rule: 'R510',
    waitsFor: /the cluster to be initialised/,
  },
  {
    when: 'does not found one without a bootstrap section',
    view: emptyFor(SILENCE_MILLIS, {}, { settings: someSettings({ mayBootstrap: false }) }),
    rule: 'R420',
    why: /no bootstrap section/,
  },
  {
    when: 'does not found one when tagged nofailover',
    view: emptyFor(SILENCE_MILLIS, {}, { settings: someSettings({ tags: { nofailover: true } }) }),
    rule: 'R420',
    why: /nofailover/,
  },
  {
    when: 'does not found one while Patroni does',
    view: emptyFor(SILENCE_MILLIS, { leader: leaderKey('pg3') }),
    rule: 'R420',
    why: /key leader names pg3/,
  },
  {
    when: 'does not ask twice before the first outcome is known',
    view: emptyFor(
      SILENCE_MILLIS,
      {},
      {
        takeover: { id: 'mine', sentAt: ago(10), unanswered: undefined },
      },
    ),
    rule: 'R420',
    why: /not settled/,
  },
  {
    when: 'steps back after it failed to promote',
    view: emptyFor(SILENCE_MILLIS),
    memory: aMemory({ abstain: { until: ahead(500), forMillis: 6000 } }),
    rule: 'R420',
    wakeAt: ahead(500),
  },
  {
    when: 'clones instead when the cluster is recorded',
    view: aView(withoutData()),
    rule: 'R510',
    actions: ['clone'],
  },
  {
    when: 'does not found one before Consul was read',
    view: aView(withoutData(), { cluster: undefined, observation: undefined }),
    rule: 'R510',
    waitsFor: /the cluster to be initialised/,
  },
  {
    when: 'starts its data instead when it has any',
    view: aView(seen(anEmptyRecord(), SILENCE_MILLIS), down()),
    rule: 'R520',
    actions: ['start'],
  },
  {
    when: 'takes over with its data instead when Postgres runs',
    view: aView(seen(anEmptyRecord(), SILENCE_MILLIS), standby(), asked()),
    rule: 'R410',
    actions: [{ kind: 'takeover', n: 6, basis: 'empty' }],
  },
  {
    when: 'leaves a store alone in which a bootstrap has begun and its lease is not readable yet',
    view: emptyFor(WAIT_MILLIS - 1, { initialize: present(''), generation: dead, lease: ABSENT }),
    rule: 'R420',
    why: /watches for a lease/,
  },
]);
