import { decides } from '../../harness/rule-table.ts';
import {
  aGeneration,
  aHost,
  aRecord,
  aView,
  command,
  holding,
  lapsed,
  NOW,
  present,
  primary,
  released,
  seen,
  standby,
} from '../../harness/views.ts';

const wish = command({ kind: 'reinitialize', force: false, fromLeader: true });

decides([
  {
    when: 'accepts, and remembers to replace the data directory',
    view: aView(standby(), wish),
    rule: 'R250',
    actions: [
      {
        kind: 'answer',
        commandId: 9,
        answer: { kind: 'accepted', message: 'reinitialize started' },
      },
    ],
    remembers: {
      reclone: { since: NOW, why: 'an operator asked for it', fromLeader: true },
    },
  },
  {
    when: 'refuses on the leader',
    view: aView(holding(), primary(), wish),
    rule: 'R250',
    actions: ['answer'],
    why: /switch over first/,
    remembers: { reclone: undefined },
  },
  {
    when: 'refuses without a leader: nothing is thrown away that could not be replaced',
    view: aView(standby(), seen(aRecord({ lease: released() }), 200), wish),
    rule: 'R250',
    actions: ['answer'],
    why: /no leader to clone from/,
    remembers: { reclone: undefined },
  },
  {
    when: 'refuses once the lease of the leader is over',
    view: aView(standby(), seen(aRecord(), 3080), wish),
    rule: 'R250',
    actions: ['answer'],
    why: /no leader to clone from/,
    remembers: { reclone: undefined },
  },
  {
    when: 'refuses while Consul shows the past: that leader may be one no more',
    view: aView(standby(), { host: aHost({ floor: { n: 6, id: 'g6' } }) }, wish),
    rule: 'R250',
    actions: ['answer'],
    why: /older generation/,
    remembers: { reclone: undefined },
  },
  {
    when: 'refuses while the leader has not promoted yet',
    view: aView(
      standby(),
      seen(aRecord({ generation: present(aGeneration({ timeline: 0 })) }), 200),
      wish,
    ),
    rule: 'R250',
    actions: ['answer'],
    why: /no leader to clone from/,
  },
  {
    when: 'refuses before Consul was read',
    view: aView(standby(), { cluster: undefined, observation: undefined }, wish),
    rule: 'R250',
    actions: ['answer'],
    why: /no leader to clone from/,
  },
  {
    when: 'gives way to the fence',
    view: aView(lapsed(), primary(), wish),
    rule: 'R110',
    actions: ['fence'],
  },
  { when: 'follows instead when nobody asked', view: aView(standby()), rule: 'R530' },
]);
