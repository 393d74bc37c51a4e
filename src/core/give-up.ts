import type { Action } from './action.ts';
import type { Verdict } from './decision.ts';
import { needsPromises } from './failsafe.ts';
import { syncTerms } from './sync-terms.ts';
import { plus, since } from './time.ts';
import type { Millis } from './time.ts';
import type { Canvass, PeerOpinion, View } from './view.ts';

/** Longer than a round of questions takes. */
const OPINIONS_KEPT_MILLIS: Millis = 2000;

/**
 * Kills the server of the leader and releases the lease, once the others have been asked. Undefined:
 * none of them could lead now, and killing it would leave the cluster with nothing.
 */
export function giveUp(view: View, why: string, kill: Action): Verdict | undefined {
  // A release needs Consul.
  if (view.held === undefined || needsPromises(view.held, view.now)) return undefined;
  const opinions = opinionsOf(view);
  if (opinions === undefined) {
    return { why: `${why}: asks who can take over`, actions: [{ kind: 'canvass' }] };
  }
  if (opinions === 'asked') {
    return {
      why: `${why}: asks who can take over`,
      waitsFor: ['the answers of the other members'],
      wakeAt: plus(view.now, 100),
    };
  }
  const others = successors(view, opinions.opinions);
  if (others.length === 0) return undefined;
  return {
    why: `${why}: it is killed and the lease is handed over to ${others.join(' or ')}`,
    actions: [kill, { kind: 'release', handoff: undefined, lsn: undefined, exclude: [view.self] }],
  };
}

/** Answers that are no older than a round of questions takes. */
export function opinionsOf({ canvass, now }: View): Canvass | 'asked' | undefined {
  if (canvass === undefined || since(canvass.askedAt, now) > OPINIONS_KEPT_MILLIS) return undefined;
  return canvass.finishedAt === undefined ? 'asked' : canvass;
}

/**
 * Members that would take over at once, were the lease released now. In `synchronous_mode` they count
 * only when enough voters are there for one of them to know that it has every commit.
 */
function successors(view: View, opinions: readonly PeerOpinion[]): readonly string[] {
  const able = opinions.flatMap(({ name, report }) =>
    report?.role === 'standby' && report.canTakeOver.able ? [name] : [],
  );
  const terms = syncTerms(view);
  switch (terms.kind) {
    case 'off':
      return able;
    case 'unknown':
      return [];
    case 'in-force': {
      const { voters, quorum } = terms.electorate;
      const voting = able.filter((name) => voters.includes(name));
      return voting.length > quorum ? voting : [];
    }
  }
}
