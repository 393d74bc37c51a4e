import type { SyncKey } from '../../../src/core/cluster.ts';
import { lsn } from '../../../src/core/lsn.ts';
import type { PeerOpinion, View } from '../../../src/core/view.ts';
import { orphaned, silentFor, WAIT_MILLIS } from '../../harness/elections.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import { aSyncKey } from '../../harness/sync-views.ts';
import {
  aGeneration,
  aHost,
  aMember,
  aMemory,
  anEmptyRecord,
  ago,
  asked,
  aView,
  command,
  END,
  garbled,
  noAnswer,
  opinion,
  present,
  released,
  seen,
  SELF,
  SILENCE_MILLIS,
  SWITCH,
} from '../../harness/views.ts';

/** pg1 led, and these have its synchronous commits. */
const led = (standbys: readonly string[], quorum = 0, given: Partial<SyncKey> = {}) =>
  present(aSyncKey({ leader: 'pg1', standbys, quorum, ...given }), 40);

type Report = NonNullable<PeerOpinion['report']>;
const voter = (name: string, given: Partial<Report> = {}): PeerOpinion =>
  opinion(name, { lsnAgeMillis: 5, ...given });

const takes = (after: Partial<SyncKey>, basis = 'lease-over', n = 6) => [
  {
    kind: 'takeover',
    n,
    basis,
    sync: aSyncKey({ leader: SELF, version: 5, ...after }),
  } as const,
];
const unfit = { canTakeOver: { able: false, why: 'nofailover' } };
const longer = { lsn: lsn(END + 8n) };
const late = { canvass: { askedAt: ago(30), finishedAt: ago(250), opinions: [opinion('pg3')] } };
const modeOn = {
  settings: someSettings({
    policy: {
      synchronous: { mode: 'on', strict: false, nodeCount: 1, maximumLagBytes: undefined },
    },
  }),
};
const promoted = {
  host: aHost({ promotions: [{ id: 'g5', timeline: 3, switchLsn: SWITCH }] }),
};
const forced = command({ kind: 'failover', candidate: SELF });
const remembers = (key: Partial<SyncKey>, n = 5) => ({
  host: aHost({ sync: { n, key: aSyncKey({ leader: 'pg1', ...key }) } }),
});
/** Consul has lost everything but the members. */
const wiped = (...parts: readonly Partial<View>[]): View =>
  aView(
    seen(anEmptyRecord({ members: [aMember(SELF), aMember('pg3')] }), SILENCE_MILLIS),
    asked(voter('pg3')),
    ...parts,
  );

decides([
  {
    when: 'takes over as the one synchronous standby, and puts the former leader in its place',
    view: orphaned({ sync: led([SELF]) }, asked(noAnswer('pg3'))),
    rule: 'R410',
    actions: takes({ standbys: ['pg1'] }),
  },
  {
    when: 'needs the vote of the synchronous standby when it is none itself',
    view: orphaned({ sync: led(['pg3']) }, asked(voter('pg3', unfit))),
    rule: 'R410',
    actions: takes({ standbys: ['pg3', 'pg1'] }),
  },
  {
    when: 'with that vote lets the synchronous standby go first, when it can take over',
    view: orphaned({ sync: led(['pg3']) }, asked(voter('pg3'))),
    rule: 'R410',
    why: /pg3 is a synchronous standby and can take over/,
    waitsFor: /pg3 to take over, for a moment/,
  },
  {
    when: 'with that vote goes when the synchronous standby has had two seconds',
    view: orphaned({ sync: led(['pg3']) }, asked(voter('pg3'))),
    memory: aMemory({
      deferral: { to: 'pg3', since: ago(2000), observedAt: ago(SILENCE_MILLIS) },
    }),
    rule: 'R410',
    actions: takes({ standbys: ['pg3', 'pg1'] }),
  },
  {
    when: 'does not take over without it, however long that takes',
    view: orphaned({ sync: led(['pg3']) }, asked(noAnswer('pg3'))),
    rule: 'R410',
    why: /1 of pg3 must have no more of the log/,
    waitsFor: /pg3 to answer as a standby.*pgbaton failover --candidate pg2 --force/,
  },
  {
    when: 'asks again after a while',
    view: orphaned({ sync: led(['pg3']) }, late),
    rule: 'R410',
    why: /too few have said so/,
  },
  {
    when: 'does not count the vote of one that is ahead, even when that one cannot take over',
    view: orphaned(
      { sync: led(['pg3']) },
      asked(voter('pg3', { ...longer, canTakeOver: { able: false, why: 'nofailover' } })),
    ),
    rule: 'R410',
    why: /1 of pg3 must/,
  },
  {
    when: 'does not count the vote of one on a newer timeline',
    view: orphaned(
      { sync: led(['pg3']) },
      asked(voter('pg3', { timeline: 4, canTakeOver: { able: false, why: 'no' } })),
    ),
    rule: 'R410',
    why: /1 of pg3 must/,
  },
  {
    when: 'does not count a position of which there may be more on the disk',
    view: orphaned({ sync: led(['pg3']) }, asked(opinion('pg3'))),
    rule: 'R410',
    why: /1 of pg3 must/,
  },
  {
    when: 'does not count a position from before the lease was over: more may have been acknowledged since',
    view: aView(
      silentFor(WAIT_MILLIS + 40, { sync: led(['pg3']) }),
      asked(voter('pg3', { lsnAgeMillis: 15 })),
    ),
    rule: 'R410',
    actions: [],
    why: /1 of pg3 must|asks the other members/,
  },
  {
    when: 'counts one that was asked for just after',
    view: aView(
      silentFor(WAIT_MILLIS + 50, { sync: led(['pg3']) }),
      asked(voter('pg3', { lsnAgeMillis: 15, ...unfit })),
    ),
    rule: 'R410',
    actions: takes({ standbys: ['pg3', 'pg1'] }),
  },
  {
    when: 'does not count the vote of a server that is no standby',
    view: orphaned({ sync: led(['pg3']) }, asked(voter('pg3', { role: 'unknown' }))),
    rule: 'R410',
    why: /1 of pg3 must/,
  },
  {
    when: 'counts itself when it is a voter: quorum of one of two',
    view: orphaned({ sync: led([SELF, 'pg3'], 1) }, asked(voter('pg3'))),
    rule: 'R410',
    actions: takes({ standbys: ['pg3', 'pg1'], quorum: 1 }),
  },
  {
    when: 'needs the other one, too',
    view: orphaned({ sync: led([SELF, 'pg3'], 1) }, asked(noAnswer('pg3'))),
    rule: 'R410',
    why: /2 of pg2, pg3 must/,
  },
  {
    when: 'leaves the lead to the former leader when no standby has all commits',
    view: orphaned({ sync: led([]) }, asked(voter('pg3'))),
    rule: 'R590',
    why: /only pg1 may lead again by itself; "pgbaton failover --candidate pg2 --force" accepts the loss/,
  },
  {
    when: 'is the former leader, and needs nobody',
    view: orphaned({ sync: led([], 0, { leader: SELF }) }, asked(noAnswer('pg3')), promoted),
    rule: 'R410',
    actions: takes({ standbys: [] }),
  },
  {
    when: 'is the former leader, and died between winning and being promoted',
    view: orphaned({ sync: led([], 0, { leader: SELF }) }, asked(noAnswer('pg3')), {
      host: aHost({ led: ['g5'] }),
    }),
    rule: 'R410',
    actions: takes({ standbys: [] }),
  },
  {
    when: 'has the name of the former leader, and other data: another machine, or a backup',
    view: orphaned({ sync: led([], 0, { leader: SELF }) }, asked(noAnswer('pg3'))),
    rule: 'R590',
    why: /only the data that pg2 had may lead again/,
  },
  {
    when: 'has the name of the leader of Patroni, who keeps no book of it',
    view: orphaned({ sync: led([], 0, { leader: SELF, version: 0 }) }, asked(noAnswer('pg3'))),
    rule: 'R410',
    actions: takes({ standbys: [], version: 1 }),
  },
  {
    when: 'has the whole log of a released lease, and needs no votes',
    view: orphaned({ sync: led(['pg3']), lease: released() }, asked(noAnswer('pg3'))),
    rule: 'R410',
    actions: takes({ standbys: ['pg3', 'pg1'] }, 'released'),
  },
  {
    when: 'has as much of the log, on a timeline that the release is not known to be of',
    view: orphaned(
      {
        sync: led(['pg3']),
        lease: released(),
        generation: present(aGeneration({ timeline: 0 }), 15),
      },
      asked(noAnswer('pg3')),
    ),
    rule: 'R410',
    why: /1 of pg3 must/,
  },
  {
    when: 'was named by the release and lacks its end',
    view: orphaned(
      { sync: led(['pg3']), lease: released({ handoff: SELF, lsn: longer.lsn }) },
      asked(noAnswer('pg3')),
    ),
    rule: 'R410',
    why: /1 of pg3 must/,
  },
  {
    when: 'lets an operator accept the loss, and says so',
    view: orphaned({ sync: led([]) }, asked(voter('pg3')), forced),
    rule: 'R410',
    actions: takes({ standbys: [] }),
    why: /forced by an operator: synchronous commits that this member lacks are lost/,
  },
  {
    when: 'goes by a key of Patroni, too',
    view: orphaned({ sync: led([SELF], 0, { version: 0 }) }, asked(noAnswer('pg3'))),
    rule: 'R410',
    actions: takes({ standbys: ['pg1'], version: 1 }),
  },
  {
    when: 'takes a key without a leader for no promise at all',
    view: orphaned({ sync: led(['pg3'], 0, { leader: undefined }) }, asked(noAnswer('pg3'))),
    rule: 'R410',
    actions: [{ kind: 'takeover', n: 6, basis: 'lease-over' }],
  },
  {
    when: 'does not trust a key that nobody can read',
    view: orphaned({ sync: garbled(40) }, asked(voter('pg3'))),
    rule: 'R590',
    why: /only pg1 may lead again/,
  },
  {
    when: 'has seen a newer key than Consul shows: a snapshot was restored, and only the leader knows the newest',
    view: orphaned({ sync: led([SELF]) }, asked(voter('pg3')), remembers({ version: 9 })),
    rule: 'R590',
    why: /only pg1 may lead again/,
  },
  {
    when: 'shows a key of before the mode was turned off: takes it over, so that it names no former leader',
    view: orphaned({ sync: led(['pg3']) }, asked(voter('pg3')), {
      host: aHost({
        floor: { n: 6, id: 'g6' },
        sync: { n: 6, key: aSyncKey({ leader: undefined, standbys: [] }) },
      }),
    }),
    rule: 'R410',
    actions: takes({ standbys: [] }, 'lease-over', 7),
  },
  {
    when: 'Consul has lost the key: goes by the one that it remembers, when all whom it names agree',
    view: wiped(remembers({ standbys: [SELF, 'pg3'], quorum: 1 }), modeOn),
    rule: 'R410',
    actions: takes({ standbys: ['pg3', 'pg1'], quorum: 1 }, 'empty'),
  },
  {
    when: 'Consul has lost the key: does not go as long as one of them is silent, though a quorum answers',
    view: wiped(
      remembers({ standbys: [SELF, 'pg3', 'pg4'], quorum: 1 }),
      modeOn,
      asked(voter('pg3'), noAnswer('pg4')),
    ),
    rule: 'R410',
    why: /3 of pg2, pg3, pg4 must/,
    waitsFor: /^pg4 to answer/,
  },
  {
    when: 'Consul has lost the key: does not go when a member has seen a newer one than this host',
    view: wiped(
      remembers({ standbys: [SELF, 'pg3'] }),
      modeOn,
      asked(voter('pg3', { syncSeen: { n: 5, version: 5 } })),
    ),
    rule: 'R410',
    why: /2 of pg2, pg3 must/,
  },
  {
    when: 'Consul has lost the key, and this host has seen that of an older generation only',
    view: wiped(remembers({ standbys: [SELF] }, 4), modeOn),
    rule: 'R590',
    why: /this host does not know; "pgbaton failover --candidate pg2 --force"/,
  },
  {
    when: 'Consul has lost the key, and this host has never seen one though the mode is asked for',
    view: wiped(modeOn),
    rule: 'R590',
    why: /this host does not know/,
  },
  {
    when: 'Consul has lost all, and nothing was ever synchronous: as always',
    view: wiped(),
    rule: 'R410',
    actions: [{ kind: 'takeover', n: 6, basis: 'empty' }],
  },
]);
