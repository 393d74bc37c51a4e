import { lsn } from '../../../src/core/lsn.ts';
import type { Diagnosis, View } from '../../../src/core/view.ts';
import { silentFor } from '../../harness/elections.ts';
import { decides } from '../../harness/rule-table.ts';
import {
  aDiagnosis,
  ago,
  aMemory,
  aRecord,
  aView,
  END,
  seen,
  SILENCE_MILLIS,
  standby,
  SYSTEM,
} from '../../harness/views.ts';

// 1. pg2 is cut off on timeline 2. Others promote to timeline 3, and once more to timeline 4.
// 2. pg2 comes back as a running standby. The newest generation tells only where its own timeline
//    began, far past the point where pg2 left the history: by that number nothing is wrong.
// 3. It never streams. Only the whole history tells why.
const LEFT = lsn(0x2800000n);
const diagnosis: Partial<Diagnosis> = {
  walAvailable: 'unknown',
  source: {
    systemIdentifier: SYSTEM,
    timeline: 3,
    switches: [
      { parent: 1, switchLsn: lsn(0x2000000n), reason: '' },
      { parent: 2, switchLsn: LEFT, reason: '' },
    ],
  },
};
const cutOff = (timeline: number, end: ReturnType<typeof lsn>): View =>
  aView(standby({ timeline, receiverState: undefined, receivedLsn: end, replayedLsn: end }), {
    diagnosis: aDiagnosis({ ...diagnosis, own: { timeline, endLsn: end } }),
  });
const memory = aMemory({ notStreamingSince: ago(9000) });
const stop = [{ kind: 'stop', mode: 'fast' }] as const;

decides([
  {
    when: 'a standby that left the history two generations ago stops to rejoin',
    view: cutOff(2, lsn(LEFT + 1n)),
    memory,
    rule: 'R530',
    actions: stop,
    why: /is not part of the history of pg1/,
  },
  {
    when: 'one that ends where its timeline was left goes on waiting',
    view: cutOff(2, LEFT),
    memory,
    rule: 'R530',
    waitsFor: /a replication connection/,
  },
  {
    when: 'a standby on a timeline that the leader never was on stops to rejoin',
    view: cutOff(4, END),
    memory,
    rule: 'R530',
    actions: stop,
    why: /timeline 4 up to 0\/5000000 is not part of the history of pg1/,
  },
]);

// 1. pg2 has diverged, and is to be stopped and rewound to pg1. Now pg1 dies; its key lingers.
// 2. Stopped for a leader whose lease is over it would be started again at once, alone, and again
//    be stopped, until the key goes.
const diverged = standby({ timeline: 2 });

decides([
  {
    when: 'a diverged standby is stopped for a leader that lives',
    view: aView(diverged, seen(aRecord(), 200)),
    rule: 'R530',
    actions: stop,
  },
  {
    when: 'it runs on when the lease of that leader is over, though its key is still there',
    view: aView(diverged, seen(aRecord(), SILENCE_MILLIS)),
    rule: 'R590',
  },
  {
    when: 'nor is it stopped when the key is gone too',
    view: aView(diverged, silentFor(SILENCE_MILLIS)),
    rule: 'R590',
  },
]);
