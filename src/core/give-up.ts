import type { Action } from './action.ts';
import { heardLately } from './canvass.ts';
import type { Verdict } from './decision.ts';
import { needsPromises } from './failsafe.ts';
import { syncTerms } from './sync-terms.ts';
import type { PeerOpinion, View } from './view.ts';

/**
 * Kills the server of the leader and releases the lease, once the others have been asked. Undefined:
 * none of them could lead now, and killing it would leave the cluster with nothing.
 */
export function giveUp(view: View, why: string, kill: Action): Verdict | undefined {
  // A release needs Consul.
  if (view.held === undefined || needsPromises(view.held, view.now)) return undefined;
  const heard = heardLately(view, `${why}: asks who can take over`);
  if ('why' in heard) return heard;
  const others = successors(view, heard.opinions);
  if (others.length === 0) return undefined;
  return {
    why: `${why}: it is killed and the lease is handed over to ${others.join(' or ')}`,
    actions: [kill, { kind: 'release', handoff: undefined, lsn: undefined, exclude: [view.self] }],
  };
}

/**
 * Members that would take over at once, were the lease released now. In `synchronous_mode` they count
 * only when enough voters are there for one of them to know that it has every commit.
 */
export function successors(view: View, opinions: readonly PeerOpinion[]): readonly string[] {
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
