import type { Rule } from '../decision.ts';
import { holdsLease, role } from '../facts.ts';

/** Stops Postgres; the rules that start what is down do the rest, under the same lease. */
export const restart: Rule = {
  number: 240,
  name: 'restart',
  when: 'an operator asked for a restart of Postgres',
  evaluate(view, memory) {
    const command = view.command;
    const restarting = memory.restart;
    if (restarting === undefined) {
      if (command?.kind !== 'restart') return undefined;
      const now = role(view);
      if (now !== 'primary' && now !== 'standby' && now !== 'down') return undefined;
      return {
        why: 'restart: begins',
        memory: { ...memory, restart: { commandId: command.id, since: view.now, stopped: false } },
      };
    }
    const now = role(view);
    if (!restarting.stopped) {
      if (now === 'down') {
        return {
          why: 'restart: Postgres is down',
          memory: { ...memory, restart: { ...restarting, stopped: true } },
        };
      }
      return { why: 'restart: Postgres is stopped', actions: [{ kind: 'stop', mode: 'fast' }] };
    }
    const up = holdsLease(view) ? now === 'primary' : now === 'standby';
    if (!up) return undefined;
    return {
      why: 'restart: Postgres runs again',
      actions: [
        {
          kind: 'answer',
          commandId: restarting.commandId,
          answer: { kind: 'done', message: 'restarted successfully' },
        },
      ],
      memory: { ...memory, restart: undefined },
    };
  },
};
