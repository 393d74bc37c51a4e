import { rankPeers } from '../candidates.ts';
import type { Rule } from '../decision.ts';
import { diskIsFull } from '../disk.ts';
import { holdsLease, role } from '../facts.ts';
import { needsPromises } from '../failsafe.ts';
import { opinionsOf } from '../give-up.ts';
import { isPaused } from '../pause.ts';
import { syncVoters } from '../sync-terms.ts';
import { plus, since } from '../time.ts';
import type { Millis } from '../time.ts';

/** Nobody is asked all the time, and a hand-over that did not work is not repeated at once. */
const ASK_EVERY_MILLIS: Millis = 30_000;

/** A primary without room refuses writes, and ends when its log needs a segment: it hands over before. */
export const diskFull: Rule = {
  number: 345,
  name: 'disk-full',
  when: 'the lease is held, and the disk of the running primary has been full for primary_hang_timeout',
  evaluate(view, memory) {
    const { held, disk } = view;
    if (held === undefined || !holdsLease(view) || role(view) !== 'primary') return undefined;
    if (disk === undefined || !diskIsFull(view) || needsPromises(held, view.now)) return undefined;
    if (isPaused(view)) return undefined;
    const why = `the disk of the primary is full (${disk.freeBytes} bytes are free)`;
    const opinions = opinionsOf(view);
    if (opinions === 'asked') {
      return { why: `${why}: asks who can take over`, wakeAt: plus(view.now, 100) };
    }
    if (opinions === undefined) {
      const askedAt = view.canvass?.askedAt;
      if (askedAt !== undefined && since(askedAt, view.now) < ASK_EVERY_MILLIS) return undefined;
      return { why: `${why}: asks who can take over`, actions: [{ kind: 'canvass' }] };
    }
    const voters = syncVoters(view);
    const successor = rankPeers(view, opinions.opinions).eligible.find(
      ({ name }) => voters === undefined || voters.includes(name),
    );
    if (successor === undefined) return undefined;
    return {
      why: `${why}: hands over to ${successor.name}`,
      memory: {
        ...memory,
        handover: {
          commandId: NOBODY_ASKED,
          candidate: successor.name,
          reason: 'disk-full',
          since: view.now,
          drainedAt: undefined,
          checkpointed: false,
        },
      },
      wakeAt: view.now,
    };
  },
};

/** Ids of commands begin above this: nobody waits for the answer. */
const NOBODY_ASKED = 0;
