import { rankPeers } from '../candidates.ts';
import { ANSWERS_KEPT_MILLIS, heardLately } from '../canvass.ts';
import type { Rule } from '../decision.ts';
import { diskIsFull, sayFull } from '../disk.ts';
import { holdsLease, role } from '../facts.ts';
import { needsPromises } from '../failsafe.ts';
import { beginHandover } from '../handover.ts';
import { isPaused } from '../pause.ts';
import { syncVoters } from '../sync-terms.ts';
import { since } from '../time.ts';
import type { Millis } from '../time.ts';
import type { View } from '../view.ts';

/** Nobody is asked all the time, and a hand-over that did not work is not repeated at once. */
const ASK_EVERY_MILLIS: Millis = 30_000;

/** A primary without room refuses writes, and ends when its log needs a segment: it hands over before. */
export const diskFull: Rule = {
  number: 345,
  name: 'disk-full',
  when: 'the lease is held, and the disk of the running primary has been full for primary_hang_timeout',
  evaluate(view, memory) {
    const { held } = view;
    if (held === undefined || !holdsLease(view) || role(view) !== 'primary') return undefined;
    if (!diskIsFull(view) || needsPromises(held, view.now)) return undefined;
    if (isPaused(view)) return undefined;
    const why = sayFull(view);
    if (hasAskedInVain(view)) return undefined;
    const heard = heardLately(view, `${why}: asks who can take over`);
    if ('why' in heard) return heard;
    const voters = syncVoters(view);
    const successor = rankPeers(view, heard.opinions).eligible.find(
      ({ name }) => voters === undefined || voters.includes(name),
    );
    if (successor === undefined) return undefined;
    return {
      why: `${why}: hands over to ${successor.name}`,
      memory: {
        ...memory,
        handover: beginHandover(
          { commandId: NOBODY_ASKED, candidate: successor.name, reason: 'disk-full' },
          view.now,
        ),
      },
      wakeAt: view.now,
    };
  },
};

function hasAskedInVain({ canvass, now }: View): boolean {
  if (canvass === undefined) return false;
  const agoMillis = since(canvass.askedAt, now);
  return agoMillis > ANSWERS_KEPT_MILLIS && agoMillis < ASK_EVERY_MILLIS;
}

/** Ids of commands begin above this: nobody waits for the answer. */
const NOBODY_ASKED = 0;
