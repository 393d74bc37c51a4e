import { lsn } from '../../../src/core/lsn.ts';
import { ABSENT } from '../../../src/core/cluster.ts';
import { everyone, LAST_RECORD, orphaned, silentFor, takeover } from '../../harness/elections.ts';
import { decides } from '../../harness/rule-table.ts';
import {
  aGeneration,
  ago,
  ahead,
  aHost,
  aMemory,
  aRecord,
  asked,
  aView,
  noAnswer,
  opinion,
  present,
  released,
  seen,
  SELF,
  standby,
} from '../../harness/views.ts';

/** It has all of the log but the last record of the leader, which was shut down. */
const shorter = standby({ receivedLsn: LAST_RECORD, replayedLsn: LAST_RECORD });

decides([
  {
    when: 'takes over at once when the lease was released to it, without asking anyone',
    view: aView(seen(aRecord({ lease: released({ handoff: SELF, lsn: LAST_RECORD }) }), 0)),
    rule: 'R410',
    actions: takeover('released'),
  },
  {
    when: 'looks where its own log ends when what it knows of that is from before the release',
    view: aView(
      shorter,
      seen(aRecord({ lease: released({ handoff: SELF, lsn: LAST_RECORD }) }), 0),
    ),
    rule: 'R410',
    actions: [{ kind: 'probe' }],
    wakeAt: ahead(0),
  },
  {
    when: 'asks the others when it has all of the log but its last record',
    view: aView(
      shorter,
      seen(aRecord({ lease: released({ handoff: SELF, lsn: LAST_RECORD }) }), 100),
    ),
    rule: 'R410',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'goes by what it knows when its own server does not answer within a second',
    view: aView(
      shorter,
      { probe: shorter.probe && { ...shorter.probe, askedAt: ago(2000) } },
      seen(aRecord({ lease: released({ handoff: SELF, lsn: LAST_RECORD }) }), 1000),
    ),
    rule: 'R410',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'leaves those who have the end of the log ten seconds when it lacks it itself',
    view: aView(
      standby({ receivedLsn: lsn(LAST_RECORD - 1n), replayedLsn: lsn(LAST_RECORD - 1n) }),
      seen(aRecord({ lease: released({ handoff: SELF, lsn: LAST_RECORD }) }), 100),
    ),
    rule: 'R590',
    why: /lacks the last 1 bytes before the release/,
    wakeAt: ahead(9900),
  },
  {
    when: 'asks the others then, and does not wait for ever',
    view: aView(
      standby({ receivedLsn: lsn(LAST_RECORD - 1n), replayedLsn: lsn(LAST_RECORD - 1n) }),
      seen(aRecord({ lease: released({ handoff: SELF, lsn: LAST_RECORD }) }), 10_000),
    ),
    rule: 'R410',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'gives the named candidate a second',
    view: aView(seen(aRecord({ lease: released({ handoff: 'pg3' }) }), 999), everyone),
    rule: 'R590',
    why: /pg3, who goes first/,
    wakeAt: ahead(1),
  },
  {
    when: 'takes over when the named candidate did not come within a second',
    view: aView(seen(aRecord({ lease: released({ handoff: 'pg3' }) }), 1100), everyone),
    rule: 'R410',
    actions: takeover('released'),
  },
  {
    when: 'asks at once when the lease was released to nobody',
    view: aView(seen(aRecord({ lease: released() }), 0)),
    rule: 'R410',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'does not wait for one that the release excludes, whatever it has',
    view: aView(
      seen(aRecord({ lease: released({ exclude: ['pg1'], lsn: undefined }) }), 1500),
      asked(opinion('pg1', { lsn: undefined, state: 'starting' }), opinion('pg3')),
    ),
    rule: 'R410',
    actions: takeover('released'),
  },
  {
    when: 'holds back for a while when the release excludes it',
    view: aView(seen(aRecord({ lease: released({ exclude: [SELF] }) }), 8999), everyone),
    rule: 'R590',
    why: /excluded/,
    wakeAt: ahead(1),
  },
  {
    when: 'tries again when nobody else came: an exclusion is no ban',
    view: aView(seen(aRecord({ lease: released({ exclude: [SELF] }) }), 9000), everyone),
    rule: 'R410',
    actions: takeover('released'),
  },
  {
    when: 'holds back after it failed to promote',
    view: orphaned({}),
    memory: aMemory({ abstain: { until: ahead(700), forMillis: 6000 } }),
    rule: 'R590',
    why: /steps behind/,
  },
  {
    when: 'holds back for a second after this host could not save what it must not forget',
    view: { ...orphaned({}), hostUnsavedAt: ago(999) },
    rule: 'R590',
    why: /could not be saved/,
    wakeAt: ahead(1),
  },
  {
    when: 'holds back as long as Consul does not answer: the request would stay open',
    view: { ...orphaned({}), storeSilentSince: ago(9000) },
    rule: 'R590',
    why: /Consul does not answer/,
  },
  {
    when: 'tries again after that: the disk may have room by now',
    view: { ...orphaned({}), hostUnsavedAt: ago(1000) },
    rule: 'R410',
    actions: takeover('lease-over'),
  },
  {
    when: 'takes a release of another lease than the present generation for none',
    view: aView(
      seen(
        aRecord({
          lease: released({ handoff: SELF, lsn: LAST_RECORD }),
          generation: present(aGeneration({ id: 'g5b' })),
        }),
        0,
      ),
    ),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'ignores a release in a store that shows less than this host has seen',
    view: aView(seen(aRecord({ lease: released({ handoff: SELF, lsn: LAST_RECORD }) }), 0), {
      host: aHost({ floor: { n: 7, id: 'g7' } }),
    }),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'is freed by a release from what it promised to that lease',
    view: aView(seen(aRecord({ lease: released({ handoff: SELF, lsn: LAST_RECORD }) }), 0), {
      promised: { leaseId: 'g5', until: ahead(2000), aloneUntil: ahead(14_000) },
    }),
    rule: 'R410',
    actions: takeover('released'),
  },
  {
    when: 'is not bound by the failsafe list of a released lease',
    view: aView(
      seen(
        aRecord({
          lease: released({ handoff: SELF, lsn: LAST_RECORD }),
          failsafe: present({ pg1: 'http://pg1' }),
        }),
        0,
      ),
    ),
    rule: 'R410',
    actions: takeover('released'),
  },
]);

const mine = present(aGeneration({ holder: SELF }), 15);

decides([
  {
    when: 'needs no wait for its own lapsed lease',
    view: aView(silentFor(10, { generation: mine }), everyone, {
      lapsedId: 'g5',
      canvass: { askedAt: ago(8), finishedAt: ago(2), opinions: [opinion('pg3')] },
    }),
    rule: 'R410',
    actions: takeover('own-lapsed'),
  },
  {
    when: 'needs no wait for a lease that was given to it too late, if most members answer',
    view: aView(silentFor(10, { generation: mine }), everyone, {
      wonLateId: 'g5',
      canvass: { askedAt: ago(8), finishedAt: ago(2), opinions: [opinion('pg3'), noAnswer('pg1')] },
    }),
    rule: 'R410',
    actions: takeover('own-lapsed'),
  },
  {
    when: 'waits for a lease that was given to it too late, when most members do not answer',
    view: aView(silentFor(10, { generation: mine }), everyone, {
      wonLateId: 'g5',
      canvass: { askedAt: ago(8), finishedAt: ago(2), opinions: [noAnswer('pg1')] },
    }),
    rule: 'R590',
    why: /most members do not answer/,
  },
  {
    when: 'waits when somebody else has led since',
    view: aView(silentFor(10, { generation: present(aGeneration({ id: 'g6', n: 6 }), 16) }), {
      lapsedId: 'g5',
      host: aHost({ floor: { n: 6, id: 'g6' } }),
    }),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'waits for its own lapsed lease, too, in a store that lost the newest generation',
    view: aView(silentFor(10, { generation: mine }), {
      lapsedId: 'g5',
      host: aHost({ floor: { n: 6, id: 'g6' } }),
    }),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'takes a generation above all it has seen, when the store shows less',
    view: orphaned({}, { host: aHost({ floor: { n: 9, id: 'g9' } }) }),
    rule: 'R410',
    actions: takeover('lease-over', 10),
  },
  {
    when: 'takes over a store that lost everything after a full wait',
    view: orphaned({ generation: ABSENT, lease: ABSENT }),
    rule: 'R410',
    actions: takeover('empty', 6),
  },
]);
