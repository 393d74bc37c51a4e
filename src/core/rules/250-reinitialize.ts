import { precondition } from '../action.ts';
import type { Answer } from '../action.ts';
import type { Rule } from '../decision.ts';
import { AMNESIA, hasAmnesia, holdsLease, leader, leaseIsOver } from '../facts.ts';

export const reinitialize: Rule = {
  number: 250,
  name: 'reinitialize',
  when: 'an operator asked for a new clone of this member',
  evaluate(view, memory) {
    const command = view.command;
    if (command?.kind !== 'reinitialize') return undefined;
    const answer = (said: Answer) => [
      { kind: 'answer', commandId: command.id, answer: said } as const,
    ];
    const current = leader(view);
    const refusal = holdsLease(view)
      ? 'this member is the leader; switch over first'
      : current?.serves !== true || leaseIsOver(view)
        ? 'the cluster has no leader to clone from'
        : hasAmnesia(view)
          ? `${AMNESIA}: there is no telling who leads`
          : undefined;
    if (refusal !== undefined) {
      return { why: refusal, actions: answer(precondition(refusal)) };
    }
    return {
      why: 'reinitialize: a new clone replaces the data directory, which is set aside first',
      actions: answer({ kind: 'accepted', message: 'reinitialize started' }),
      memory: {
        ...memory,
        failures: undefined,
        manual: { what: 'reinitialize', since: view.now },
        reclone: {
          since: view.now,
          why: 'an operator asked for it',
          fromLeader: command.fromLeader,
        },
      },
    };
  },
};
