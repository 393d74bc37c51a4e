import type { Rule, Verdict } from '../decision.ts';
import { clusterIdentifier, control, holdsLease, role, server } from '../facts.ts';
import { isPaused } from '../pause.ts';
import type { View } from '../view.ts';

/** I7: data of another cluster is neither served, followed with, nor replaced. */
export const otherCluster: Rule = {
  number: 140,
  name: 'other-cluster',
  when: 'the data directory carries another system identifier than the cluster',
  evaluate(view) {
    const known = clusterIdentifier(view);
    const own = server(view)?.systemIdentifier ?? control(view)?.systemIdentifier;
    if (known === undefined || own === undefined || own === known) return undefined;
    // The agent may always be stopped; what that takes is the same here.
    if (view.command?.kind === 'shutdown') return undefined;
    return supersededFounding(view, own, known) ?? refusal(view, own, known);
  },
};

/** Nothing but an initdb of this host's own, for a cluster that another member founded first. */
function supersededFounding(view: View, own: string, known: string): Verdict | undefined {
  if (view.host.founding !== own || role(view) !== 'down' || holdsLease(view)) return undefined;
  if (isPaused(view)) return undefined;
  return {
    why: `another member founded the cluster ${known}: the own half-made directory is set aside`,
    actions: view.job === undefined ? [{ kind: 'set-aside', reason: 'superseded' }] : [],
  };
}

function refusal(view: View, own: string, known: string): Verdict {
  const why = `the data directory ${view.settings.postgres.dataDir} belongs to system ${own}, the cluster ${view.settings.member.scope} is ${known}`;
  // A new system in the old place may be what the maintenance is about.
  if (isPaused(view)) {
    return {
      why: `${why}; cluster management is paused, so nothing is done about it`,
      waitsFor: ['"pgbaton resume", once key initialize or the directory is the right one'],
    };
  }
  const stop = role(view) === 'down' ? [] : [{ kind: 'stop', mode: 'fast' } as const];
  const release = {
    kind: 'release',
    handoff: undefined,
    lsn: undefined,
    exclude: [view.self],
  } as const;
  return {
    why,
    waitsFor: [
      'another data_dir or scope in the configuration, or the directory moved away by hand; pgbaton does not touch it',
    ],
    actions: stop.length === 0 && holdsLease(view) ? [release] : stop,
  };
}
