import { ABSENT } from '../../../src/core/cluster.ts';
import type { ClusterRecord } from '../../../src/core/cluster.ts';
import { everyone, LAST_RECORD, takeover } from '../../harness/elections.ts';
import { decides } from '../../harness/rule-table.ts';
import { inMaintenance } from '../../harness/settings.ts';
import {
  aGeneration,
  aHost,
  aLease,
  aMember,
  anEmptyRecord,
  aRecord,
  asked,
  aView,
  command,
  opinion,
  present,
  released,
  seen,
  SELF,
  SILENCE_MILLIS,
  standby,
} from '../../harness/views.ts';

const paused = (given: Partial<ClusterRecord> = {}): ClusterRecord =>
  aRecord({
    lease: present(aLease({ paused: true }), 20),
    leader: ABSENT,
    members: [aMember(SELF), aMember('pg3')],
    ...given,
  });
const silent = seen(paused(), SILENCE_MILLIS);
const remembered = { host: aHost({ paused: { n: 5, id: 'g5', beat: 9 } }) };
const failover = command({ kind: 'failover', candidate: SELF });
const stated = command({ kind: 'failover', candidate: SELF, holderIsDown: true });
const ways =
  /pg1 is paused, so no time ends it; waits for pg1 to beat again; .*"pgbaton failover --candidate MEMBER --force" or "pgbaton resume --force"/;

decides([
  {
    when: 'does not take over a lease that says paused, however long it stands',
    view: aView(silent, standby(), everyone),
    rule: 'R590',
    why: ways,
    waitsFor: ways,
  },
  {
    when: 'does not after a resume either, of which the holder has not heard',
    view: aView(silent, standby(), everyone, remembered),
    rule: 'R590',
    why: ways,
  },
  {
    when: 'does not in a store that was restored to before the pause',
    view: aView(seen(aRecord({ leader: ABSENT }), SILENCE_MILLIS), standby(), everyone, remembered),
    rule: 'R590',
    why: ways,
  },
  {
    when: 'does not in a store that was wiped after the pause',
    view: aView(
      seen(anEmptyRecord({ members: [aMember(SELF)] }), SILENCE_MILLIS),
      standby(),
      everyone,
      remembered,
    ),
    rule: 'R590',
    why: /the lease of the last leader is paused/,
  },
  {
    when: 'does not while a pause is configured, though the lease that is over never said so',
    view: aView(
      seen(aRecord({ leader: ABSENT }), SILENCE_MILLIS),
      standby(),
      everyone,
      inMaintenance(),
    ),
    rule: 'R590',
    why: /cluster management is paused: nobody takes over by itself/,
  },
  {
    when: 'takes a lease that was released in the course of a switchover',
    view: aView(
      seen(aRecord({ leader: ABSENT, lease: released({ handoff: SELF, lsn: LAST_RECORD }) }), 5),
      standby(),
      inMaintenance(),
    ),
    rule: 'R410',
    actions: takeover('released'),
  },
  {
    when: 'takes its own lapsed lease up again: nobody else can have led under it',
    view: aView(
      seen(paused({ generation: present(aGeneration({ holder: SELF }), 15) }), 90),
      standby(),
      asked(opinion('pg3')),
      inMaintenance(),
      { lapsedId: 'g5' },
    ),
    rule: 'R410',
    actions: takeover('own-lapsed'),
  },
  {
    when: 'takes over a paused lease when an operator says that its holder is down',
    view: aView(silent, standby(), everyone, stated),
    rule: 'R410',
    actions: takeover('lease-over'),
    why: /forced|best of/,
  },
  {
    when: 'does so only once the lease has stood for its whole time',
    view: aView(seen(paused(), 500), standby(), everyone, stated),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'does not do so where the holder answers that it holds the lease',
    view: aView(
      silent,
      standby(),
      stated,
      asked(opinion('pg1', { holdsLease: { id: 'g5', n: 5 } }), opinion('pg3')),
    ),
    rule: 'R590',
    why: /pg1 says that it holds a valid lease/,
  },
  {
    when: 'takes over for an operator without that word where only the configuration is paused',
    view: aView(
      seen(aRecord({ leader: ABSENT }), SILENCE_MILLIS),
      standby(),
      everyone,
      failover,
      inMaintenance(),
    ),
    rule: 'R410',
    actions: takeover('lease-over'),
  },
]);
