import { precondition } from '../action.ts';
import { heardSince } from '../canvass.ts';
import { valueOf } from '../cluster.ts';
import type { Rule, Verdict } from '../decision.ts';
import { hasAmnesia, holdsLease, leaseIsOver, record } from '../facts.ts';
import { pausedHolder } from '../pause.ts';
import type { Canvass, PendingCommand, View } from '../view.ts';

/** An operator answers for it that nobody writes under a paused lease; whoever knows better is heard first. */
export const abandon: Rule = {
  number: 260,
  name: 'abandon',
  when: 'an operator says that Postgres of the holder of a paused lease is down',
  evaluate(view) {
    const command = view.command;
    if (command?.kind !== 'abandon') return undefined;
    const holder = pausedHolder(view);
    const refusal = holder === undefined ? 'the lease is not paused' : refuse(view, holder);
    if (holder === undefined || refusal !== undefined) return answered(command, refusal ?? '');
    const why = `resume: asks the members whether ${holder} is down indeed`;
    const heard = heardSince(view, command.at, why);
    if ('why' in heard) return heard;
    const objection = objectionTo(heard, holder);
    if (objection !== undefined) return answered(command, objection);
    return {
      why: `resume: the paused lease of ${holder} is given up, because an operator says that its Postgres is down`,
      actions: [{ kind: 'abandon', commandId: command.id, holder }],
    };
  },
};

function refuse(view: View, holder: string): string | undefined {
  if (holdsLease(view))
    return 'this member holds the lease itself; "pgbaton resume" ends the pause';
  const cluster = record(view);
  const lease = cluster === undefined ? undefined : valueOf(cluster.lease);
  if (hasAmnesia(view) || lease?.paused !== true) {
    return `Consul has lost the newest lease, of which this host remembers that it is paused; "pgbaton failover --candidate MEMBER --force", once Postgres of ${holder} is certainly down`;
  }
  return leaseIsOver(view)
    ? undefined
    : `${holder} beats; "pgbaton resume" without --force is enough`;
}

/** Somebody who answers knows that the statement is wrong. */
function objectionTo({ opinions }: Canvass, holder: string): string | undefined {
  const writes = opinions.find(
    ({ name, report }) =>
      report !== undefined &&
      (report.holdsLease !== undefined || (name === holder && report.role === 'primary')),
  );
  return writes === undefined
    ? undefined
    : `${writes.name} answers and says that it holds the lease: its Postgres is not down`;
}

function answered(command: PendingCommand, message: string): Verdict {
  const answer = precondition(message);
  return { why: message, actions: [{ kind: 'answer', commandId: command.id, answer }] };
}
