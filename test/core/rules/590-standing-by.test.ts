import { ABSENT } from '../../../src/core/cluster.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import {
  aGeneration,
  aHost,
  aMember,
  aRecord,
  aView,
  ahead,
  asked,
  holding,
  opinion,
  present,
  seen,
  SELF,
  SILENCE_MILLIS,
  standby,
  SWITCH,
} from '../../harness/views.ts';

const alone = (given = {}) =>
  seen(aRecord({ leader: ABSENT, members: [aMember(SELF)], ...given }), SILENCE_MILLIS);

decides([
  {
    when: 'says when the lease of a silent leader is over',
    view: aView(standby(), seen(aRecord({ members: [aMember(SELF)] }), 1000)),
    rule: 'R590',
    why: /the lease of pg1 may still run/,
    waitsFor: /time, or a heartbeat/,
    wakeAt: ahead(2080),
  },
  {
    when: 'says that it is tagged nofailover',
    view: aView(standby(), alone(), { settings: someSettings({ tags: { nofailover: true } }) }),
    rule: 'R590',
    why: /nofailover/,
  },
  {
    when: 'says that its priority is 0',
    view: aView(standby(), alone(), { settings: someSettings({ tags: { failoverPriority: 0 } }) }),
    rule: 'R590',
    why: /nofailover/,
  },
  {
    when: 'says that its history lacks the present timeline',
    view: aView(standby({ timeline: 2 }), alone({ status: ABSENT })),
    rule: 'R590',
    why: /its log on timeline 2 ends at .*, past 0\/3000000/,
  },
  {
    when: 'says that its timeline is one that the cluster does not know',
    view: aView(standby(), alone(), {
      host: aHost({ promotions: [{ id: 'g5x', timeline: 3, switchLsn: SWITCH }] }),
    }),
    rule: 'R590',
    why: /timeline 3 is that of generation g5x/,
  },
  {
    when: 'says that its position is unknown',
    view: aView(standby({ receivedLsn: undefined, replayedLsn: undefined }), alone()),
    rule: 'R590',
    why: /log position is unknown/,
  },
  {
    when: 'says who objects',
    view: aView(standby(), alone(), asked(opinion('pg3', { holdsLease: { id: 'g5', n: 5 } }))),
    rule: 'R590',
    why: /pg3 says that it holds a valid lease/,
  },
  {
    when: 'is no candidate with data that the present generation has not seen promoted',
    view: aView(
      standby({ timeline: 2 }),
      alone({
        generation: present(
          aGeneration({ timeline: 0, ancestors: [{ id: 'g4', timeline: 3, switchLsn: SWITCH }] }),
        ),
      }),
    ),
    rule: 'R590',
    why: /lacks the switch to the present one/,
  },
  {
    when: 'takes over instead when nothing speaks against it',
    view: aView(standby(), alone(), asked()),
    rule: 'R410',
    actions: ['takeover'],
  },
  {
    when: 'promotes instead with the lease',
    view: aView(holding(), standby()),
    rule: 'R320',
    actions: ['promote'],
  },
]);
