import type { Handover } from '../../../src/core/handover.ts';
import type { Instant } from '../../../src/core/time.ts';
import type { PeerOpinion, View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import {
  aMemory,
  aView,
  ago,
  ahead,
  asked,
  down,
  END,
  ended,
  holding,
  lapsed,
  noAnswer,
  NOW,
  observed,
  opinion,
  primary,
  silent,
  standby,
  someControl,
} from '../../harness/views.ts';

const handover = (given: Partial<Handover> = {}) =>
  aMemory({
    handover: {
      commandId: 9,
      candidate: 'pg3',
      reason: 'switchover',
      since: ago(1000),
      drainedAt: undefined,
      checkpointed: false,
      ...given,
    },
  });

const stop = { kind: 'stop', mode: 'fast' } as const;
const drained = handover({ checkpointed: true, drainedAt: ago(200) });
const checkpointEnded = { lastJob: ended('checkpoint') };
const askedSince = (...opinions: readonly PeerOpinion[]): Partial<View> => ({
  canvass: { askedAt: ago(4), finishedAt: ago(1), opinions },
});
const clean = down({ state: 'shut down' });
const cleanSince = (exitedAt: Instant): Partial<View> => ({
  ...clean,
  postmaster: { kind: 'down', exitedAt, exitCause: 'stopped' },
});

decides([
  {
    when: 'checkpoints first, while clients still write',
    view: aView(holding(), primary()),
    memory: handover(),
    rule: 'R210',
    actions: [{ kind: 'checkpoint' }],
    remembers: handover({ checkpointed: true }),
  },
  {
    when: 'then asks the candidate once more: a checkpoint takes its time',
    view: aView(holding(), primary(), asked(opinion('pg3')), checkpointEnded),
    memory: handover({ checkpointed: true }),
    rule: 'R210',
    actions: ['canvass'],
  },
  {
    when: 'and waits for what it says',
    view: aView(holding(), primary(), checkpointEnded, {
      canvass: { askedAt: ago(3), finishedAt: undefined, opinions: [] },
    }),
    memory: handover({ checkpointed: true }),
    rule: 'R210',
    waitsFor: /their answers/,
    wakeAt: ahead(100),
  },
  {
    when: 'is broken off, and clients notice nothing, when the candidate has gone meanwhile',
    view: aView(holding(), primary(), checkpointEnded, askedSince(noAnswer('pg3'), opinion('pg1'))),
    memory: handover({ checkpointed: true }),
    rule: 'R210',
    why: /broken off before writes were refused: pg3 does not answer/,
    actions: ['answer'],
    remembers: { handover: undefined },
  },
  {
    when: 'goes to another one when the process is to stop',
    view: aView(holding(), primary(), checkpointEnded, askedSince(noAnswer('pg3'), opinion('pg1'))),
    memory: handover({ checkpointed: true, reason: 'shutdown' }),
    rule: 'R210',
    why: /pg3 cannot take over any more: hands over to pg1/,
    remembers: { handover: { candidate: 'pg1' } },
    wakeAt: NOW,
  },
  {
    when: 'then notes that writes are refused and stops Postgres',
    view: aView(holding(), primary(), checkpointEnded, askedSince(opinion('pg3'))),
    memory: handover({ checkpointed: true }),
    rule: 'R210',
    actions: [stop],
    remembers: { handover: { checkpointed: true, drainedAt: NOW } },
  },
  {
    when: 'repeats the stop without a new beginning of the gap',
    view: aView(holding(), primary()),
    memory: drained,
    rule: 'R210',
    actions: [stop],
    remembers: drained,
  },
  {
    when: 'does not wait for a stop that hangs: nobody can write meanwhile',
    view: aView(holding(), primary()),
    memory: handover({ checkpointed: true, drainedAt: ago(20_001) }),
    rule: 'R210',
    actions: [{ kind: 'stop', mode: 'immediate' }],
  },
  {
    when: 'waits for a heartbeat that is late, with Postgres down: Consul may answer in a moment',
    view: aView(
      holding({ sent: [{ beat: 8, sentAt: ago(301), ttlMillis: 3000 }] }),
      cleanSince(ago(999)),
    ),
    memory: drained,
    rule: 'R210',
    actions: [],
    why: /waits for Consul to answer/,
    remembers: drained,
  },
  {
    when: 'keeps the lease when Consul does not answer any more: the release would not be seen',
    view: aView(
      holding({ sent: [{ beat: 8, sentAt: ago(1301), ttlMillis: 3000 }] }),
      cleanSince(ago(1000)),
    ),
    memory: drained,
    rule: 'R210',
    actions: ['answer'],
    why: /Consul does not answer any more/,
    remembers: { handover: undefined },
  },
  {
    when: 'releases all the same when the process is to stop',
    view: aView(holding({ sent: [{ beat: 8, sentAt: ago(301), ttlMillis: 3000 }] }), clean),
    memory: handover({ reason: 'shutdown', checkpointed: true, drainedAt: ago(200) }),
    rule: 'R210',
    actions: ['release', 'answer'],
  },
  {
    when: 'stops what does not say what it is',
    view: aView(holding(), silent()),
    memory: drained,
    rule: 'R210',
    actions: [stop],
  },
  {
    when: 'stops a server that came back as a standby',
    view: aView(holding(), standby()),
    memory: drained,
    rule: 'R210',
    actions: [stop],
  },
  {
    when: 'releases to the candidate with the position of the shutdown record',
    view: aView(holding(), clean),
    memory: drained,
    rule: 'R210',
    actions: [
      { kind: 'release', handoff: 'pg3', lsn: END, exclude: [] },
      { kind: 'answer', commandId: 9, answer: { kind: 'handing-over' } },
    ],
    why: /200 ms after writes ended/,
    remembers: { handover: undefined },
  },
  {
    when: 'does not release by a look at the files from before the hand-over',
    view: aView(holding(), clean, {
      directory: {
        value: {
          kind: 'cluster',
          majorVersion: 15,
          control: someControl({ state: 'shut down' }),
          standbySignal: true,
          backupLabel: false,
        },
        askedAt: ago(5000),
        receivedAt: ago(5000),
      },
    }),
    memory: drained,
    rule: 'R210',
    waitsFor: /pg_controldata/,
  },
  {
    when: 'does not release while the files are not those of a cluster',
    view: aView(holding(), clean, { directory: observed({ kind: 'absent' }) }),
    memory: drained,
    rule: 'R210',
    waitsFor: /pg_controldata/,
  },
  {
    when: 'keeps the lease when Postgres did not end cleanly: standbys may lack its last records',
    view: aView(holding(), down({ state: 'in production' })),
    memory: drained,
    rule: 'R210',
    actions: ['answer'],
    why: /broken off.*in production/,
    remembers: { handover: undefined },
  },
  {
    when: 'ends without a release when the lease ended meanwhile',
    view: aView(lapsed(), down({ state: 'shut down' })),
    memory: drained,
    rule: 'R210',
    actions: ['answer'],
    why: /the lease ended/,
    remembers: { handover: undefined },
  },
  {
    when: 'gives way to the fence when the lease ends while Postgres runs',
    view: aView(lapsed(), primary()),
    memory: drained,
    rule: 'R110',
    actions: ['fence'],
  },
  {
    when: 'starts Postgres instead when no hand-over is under way',
    view: aView(holding(), clean),
    rule: 'R310',
    actions: ['fence', 'start'],
  },
]);
