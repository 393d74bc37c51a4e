import { rankPeers } from '../candidates.ts';
import type { Rule } from '../decision.ts';
import { holdsLease, role } from '../facts.ts';
import { plus, since } from '../time.ts';

/** The agent was told to stop: hand over if anyone can take it, stop Postgres, leave. */
export const shutdown: Rule = {
  number: 220,
  name: 'shutdown',
  when: 'the process was told to stop',
  evaluate(view, memory) {
    const command = view.command;
    if (command?.kind !== 'shutdown') return undefined;
    const now = role(view);
    if (holdsLease(view) && now === 'primary') {
      const canvass = view.canvass;
      const asked = canvass !== undefined && canvass.askedAt >= command.at;
      if (!asked)
        return { why: 'stopping: asks who can take over', actions: [{ kind: 'canvass' }] };
      if (canvass.finishedAt === undefined)
        return { why: 'stopping: asks who can take over', wakeAt: plus(view.now, 100) };
      const best = rankPeers(view, canvass.opinions).eligible[0]?.name;
      return {
        why:
          best === undefined ? 'stopping: nobody can take over' : `stopping: hands over to ${best}`,
        memory: {
          ...memory,
          handover: {
            commandId: command.id,
            candidate: best,
            reason: 'shutdown',
            since: view.now,
            drainedAt: undefined,
            checkpointed: false,
          },
        },
      };
    }
    if (now === 'down' && holdsLease(view)) {
      return {
        why: 'stopping: Postgres is down, the lease is released',
        actions: [{ kind: 'release', handoff: undefined, lsn: undefined, exclude: [] }],
      };
    }
    if (now === 'down' || now === 'unknown')
      return { why: 'stopping: all is down', actions: [{ kind: 'leave' }] };
    const patient = since(command.at, view.now) < 60_000;
    return {
      why: 'stopping: Postgres is stopped',
      actions: [{ kind: 'stop', mode: patient ? 'fast' : 'immediate' }],
    };
  },
};
