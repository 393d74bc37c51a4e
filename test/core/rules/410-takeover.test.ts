import { MARGIN_MILLIS } from '../../../src/core/lease.ts';
import { lsn } from '../../../src/core/lsn.ts';
import { ABSENT } from '../../../src/core/cluster.ts';
import { everyone, orphaned, silentFor, takeover, WAIT_MILLIS } from '../../harness/elections.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings, TTL_MILLIS } from '../../harness/settings.ts';
import {
  ago,
  ahead,
  aLease,
  aMember,
  anObservation,
  aRecord,
  asked,
  aView,
  command,
  END,
  garbled,
  leaderKey,
  opinion,
  present,
  released,
  seen,
  SELF,
  SILENCE_MILLIS,
  silent,
  standby,
  SWITCH,
} from '../../harness/views.ts';

const over = takeover('lease-over');
/** The record was once read with a much longer ttl. */
const longLease = {
  ...anObservation(aRecord(), SILENCE_MILLIS),
  largestTtlMillis: 2 * SILENCE_MILLIS,
};

decides([
  {
    when: 'takes over when the record was unchanged for longer than the lease on any clock',
    view: orphaned(),
    rule: 'R410',
    actions: over,
    why: /best of the 3 members that answered/,
  },
  {
    when: 'does not take over one millisecond before the wait has ended',
    view: aView(silentFor(WAIT_MILLIS - 1), everyone),
    rule: 'R590',
    why: /the lease of pg1 may still run/,
  },
  {
    when: 'waits for the drift of two clocks and a margin, not for the bare ttl',
    view: aView(silentFor(TTL_MILLIS + MARGIN_MILLIS), everyone),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'asks the members the moment the wait has ended',
    view: aView(silentFor(WAIT_MILLIS)),
    rule: 'R410',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'takes a missing leader key for no proof of anything',
    view: aView(seen(aRecord({ leader: ABSENT }), 200), everyone),
    rule: 'R530',
  },
  {
    when: 'takes a lease that nobody can read for one with the longest ttl ever seen',
    view: orphaned({ lease: garbled(20) }, { observation: longLease }),
    rule: 'R590',
    why: /the lease of pg1 may still run/,
  },
  {
    when: 'takes a missing lease of a known generation for one that may run',
    view: aView(silentFor(WAIT_MILLIS - 1, { lease: ABSENT }), everyone),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'waits for the ttl in the record, not for a shorter one in its own configuration',
    view: aView(
      silentFor(WAIT_MILLIS, { lease: present(aLease({ ttlMillis: 2 * TTL_MILLIS }), 20) }),
      everyone,
    ),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'does not take over while Patroni leads: key leader names another than the holder',
    view: orphaned({ leader: leaderKey('pg3') }),
    rule: 'R590',
    why: /Patroni leads/,
  },
  {
    when: 'takes over while the keys of the dead holder are still there',
    view: orphaned({ leader: leaderKey('pg1'), members: aRecord().members }),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'takes over while key leader names this member',
    view: orphaned({ leader: leaderKey(SELF) }),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'does not take over before the outcome of its last attempt is known',
    view: orphaned(
      {},
      {
        takeover: { id: 'mine', sentAt: ago(5000), unanswered: undefined },
      },
    ),
    rule: 'R590',
    why: /not settled/,
  },
  {
    when: 'keeps its promise to a leader that cannot reach Consul',
    view: orphaned({}, { promised: { leaseId: 'g5', until: ahead(1), aloneUntil: ahead(1) } }),
    rule: 'R590',
    why: /promised/,
  },
  {
    when: 'is free when its promise has run out',
    view: orphaned({}, { promised: { leaseId: 'g5', until: ago(0), aloneUntil: ago(0) } }),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'does not take over when it is not on the failsafe list',
    view: orphaned({ failsafe: present({ pg1: 'http://pg1', pg3: 'http://pg3' }) }),
    rule: 'R590',
    why: /failsafe list/,
  },
  {
    when: 'takes over when it is on the failsafe list',
    view: orphaned({
      failsafe: present({ pg1: 'http://pg1', [SELF]: someSettings().member.apiUrl }),
    }),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'stands by when the failsafe list has another machine under its name',
    view: orphaned({ failsafe: present({ pg1: 'http://pg1', [SELF]: 'http://pg2-old' }) }),
    rule: 'R590',
    why: /has http:\/\/pg2-old under its name/,
  },
  {
    when: 'stands by when its name is that of another machine, where there is no failsafe list',
    view: orphaned({ members: [aMember(SELF, { apiUrl: 'http://pg2-old' }), aMember('pg3')] }),
    rule: 'R590',
    why: /key members\/pg2 is that of another machine, http:\/\/pg2-old/,
  },
]);

decides([
  {
    when: 'stands by when its log went on past the switch to the timeline of the present generation',
    view: orphaned(
      { status: ABSENT },
      standby({ timeline: 2, receivedLsn: END, replayedLsn: END }),
    ),
    rule: 'R590',
    why: /past 0\/3000000/,
  },
  {
    when: 'takes over as a standby whose log reaches the switch of its timeline',
    view: orphaned(
      { status: ABSENT },
      standby({ receivedLsn: SWITCH, replayedLsn: SWITCH }),
      asked(),
    ),
    rule: 'R410',
    actions: over,
  },
  {
    when: 'does not take over at once when an operator forces it: the lease must be over',
    view: aView(silentFor(200), command({ kind: 'failover', candidate: SELF })),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'asks for objections when an operator forces it',
    view: aView(
      silentFor(SILENCE_MILLIS, { lease: released({ handoff: SELF }) }),
      command({ kind: 'failover', candidate: SELF }),
    ),
    rule: 'R410',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'defers to nobody when an operator forces it',
    view: aView(
      silentFor(SILENCE_MILLIS, { lease: released() }),
      asked(opinion('pg3', { lsn: lsn(END + 8n) })),
      command({ kind: 'failover', candidate: SELF }),
    ),
    rule: 'R410',
    actions: takeover('released'),
  },
  {
    when: 'respects a valid lease even when an operator forces it',
    view: aView(
      silentFor(SILENCE_MILLIS, { lease: released() }),
      asked(opinion('pg1', { holdsLease: { id: 'g5', n: 5 } })),
      command({ kind: 'failover', candidate: SELF }),
    ),
    rule: 'R590',
  },
  {
    when: 'does not take over with a server that does not answer',
    view: orphaned({}, silent()),
    rule: 'R900',
  },
  {
    when: 'does not take over before Consul was read',
    view: aView({ cluster: undefined, observation: undefined }, everyone),
    rule: 'R590',
    why: /Consul has not been read/,
  },
  {
    when: 'does not take over with a lag beyond the limit',
    view: orphaned({
      status: present({
        optime: lsn(END + 1_048_577n),
        slots: {},
        retainSlots: [],
      }),
    }),
    rule: 'R590',
    why: /maximum_lag_on_failover/,
  },
]);
