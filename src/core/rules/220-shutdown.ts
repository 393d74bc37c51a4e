import { rankPeers } from '../candidates.ts';
import { heardSince } from '../canvass.ts';
import type { Rule, Verdict } from '../decision.ts';
import { holdsLease, role } from '../facts.ts';
import { beginHandover } from '../handover.ts';
import type { Memory } from '../memory.ts';
import { isPaused } from '../pause.ts';
import { plus, since } from '../time.ts';
import type { Instant } from '../time.ts';
import type { PendingCommand, View } from '../view.ts';

/** A pause that was asked for takes effect with the next beat; it is not waited for longer than this. */
const PAUSE_PATIENCE_TTLS = 2;

/** The agent was told to stop: hand over if anyone can take it, stop Postgres, leave. */
export const shutdown: Rule = {
  number: 220,
  name: 'shutdown',
  when: 'the process was told to stop',
  evaluate(view, memory) {
    const command = view.command;
    if (command?.kind !== 'shutdown') return undefined;
    const left = leftAsItIs(view, command.at);
    if (left !== undefined) return left;
    const now = role(view);
    if (holdsLease(view) && now === 'primary') return handsOver(view, memory, command);
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

/** Maintenance mode: the agent goes, Postgres and its lease stay. The next agent finds them. */
function leftAsItIs(view: View, toldAt: Instant): Verdict | undefined {
  if (!isPaused(view)) return undefined;
  const { held, brake = 'off' } = view;
  const until = plus(toldAt, PAUSE_PATIENCE_TTLS * view.settings.policy.timing.ttlMillis);
  const lifted = isLifted(view);
  if (lifted && (held === undefined || (held.paused && brake === 'off'))) {
    return {
      why: 'stopping: cluster management is paused, so Postgres and the lease are left as they are',
      actions: [{ kind: 'leave', keep: true }],
    };
  }
  if (view.now >= until) return undefined;
  if (!lifted && held?.paused !== false) {
    return {
      why: 'stopping: the guardian keeps a deadline, at which it would fence Postgres without this process',
      waitsFor: ['the guardian to lift it; without that Postgres is stopped'],
      wakeAt: plus(view.now, 50),
    };
  }
  // Nobody else lets commits go that this process holds, and no deadline ends what is paused.
  if (held?.paused === true) {
    return {
      why: 'stopping: the commits that are held are let go first',
      waitsFor: ['the release of the commit brake; without it Postgres is stopped'],
      wakeAt: plus(view.now, 20),
    };
  }
  return {
    why: 'stopping: a pause was asked for, and Consul has not confirmed a heartbeat that says so',
    waitsFor: ['that heartbeat; without it Postgres is stopped'],
    wakeAt: plus(view.now, 50),
  };
}

/** What the guardian has acknowledged counts, not what it was told: it goes by that when nobody is left. */
const isLifted = ({ guarded, held, postmaster }: View): boolean =>
  postmaster.kind !== 'up' ||
  (guarded?.paused !== false && (held === undefined || held.id === guarded?.leaseId));

function handsOver(view: View, memory: Memory, command: PendingCommand): Verdict {
  const heard = heardSince(view, command.at, 'stopping: asks who can take over');
  if ('why' in heard) return heard;
  const candidate = rankPeers(view, heard.opinions).eligible[0]?.name;
  return {
    why:
      candidate === undefined
        ? 'stopping: nobody can take over'
        : `stopping: hands over to ${candidate}`,
    memory: {
      ...memory,
      handover: beginHandover({ commandId: command.id, candidate, reason: 'shutdown' }, view.now),
    },
  };
}
