import { decides } from '../../harness/rule-table.ts';
import {
  aMemory,
  aView,
  ago,
  command,
  down,
  holding,
  NOW,
  primary,
  silent,
  standby,
} from '../../harness/views.ts';

const wish = command({ kind: 'restart', timeoutMillis: undefined });
const restarting = (stopped: boolean) =>
  aMemory({ restart: { commandId: 9, since: ago(1000), stopped } });
const stop = { kind: 'stop', mode: 'fast' } as const;
const done = {
  kind: 'answer',
  commandId: 9,
  answer: { kind: 'done', message: 'restarted successfully' },
} as const;

decides([
  {
    when: 'begins on the leader',
    view: aView(holding(), primary(), wish),
    rule: 'R240',
    remembers: { restart: { commandId: 9, since: NOW, stopped: false } },
  },
  {
    when: 'begins on a standby',
    view: aView(standby(), wish),
    rule: 'R240',
    remembers: { restart: { commandId: 9, since: NOW, stopped: false } },
  },
  {
    when: 'stops Postgres first, the lease is kept',
    view: aView(holding(), primary(), wish),
    memory: restarting(false),
    rule: 'R240',
    actions: [stop],
  },
  {
    when: 'notes that Postgres is down',
    view: aView(holding(), down(), wish),
    memory: restarting(false),
    rule: 'R240',
    remembers: { restart: { commandId: 9, since: ago(1000), stopped: true } },
  },
  {
    when: 'lets the leader be started again without counting a crash',
    view: aView(holding(), down({}, 'stopped'), wish),
    memory: restarting(true),
    rule: 'R310',
    actions: ['fence', 'start'],
    why: /as asked/,
    remembers: { crashes: [] },
  },
  {
    when: 'lets the leader be promoted again',
    view: aView(holding(), standby(), wish),
    memory: restarting(true),
    rule: 'R320',
    actions: ['promote'],
  },
  {
    when: 'answers when the leader is a primary again',
    view: aView(holding(), primary(), wish),
    memory: restarting(true),
    rule: 'R240',
    actions: [done],
    remembers: { restart: undefined },
  },
  {
    when: 'answers when a standby runs again',
    view: aView(standby(), wish),
    memory: restarting(true),
    rule: 'R240',
    actions: [done],
  },
  {
    when: 'does not begin while Postgres does not say what it is',
    view: aView(holding(), silent(), wish),
    rule: 'R330',
  },
  {
    when: 'gives way to a shutdown',
    view: aView(standby(), command({ kind: 'shutdown' })),
    memory: restarting(true),
    rule: 'R220',
    actions: [stop],
  },
  { when: 'follows instead when nobody asked', view: aView(standby()), rule: 'R530' },
]);
