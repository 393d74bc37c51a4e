import type { Rule } from '../decision.ts';
import { clusterIdentifier, holdsLease, record, role, server } from '../facts.ts';

/** A new cluster exists for the others once its roles are made and `initialize` is written. */
export const leaderFounds: Rule = {
  number: 340,
  name: 'leader-founds',
  when: 'the lease is held, Postgres is a primary, and the cluster is not recorded as initialised',
  evaluate(view, memory) {
    if (!holdsLease(view) || role(view) !== 'primary') return undefined;
    const facts = server(view);
    if (record(view) === undefined || facts === undefined || clusterIdentifier(view) !== undefined)
      return undefined;
    const made = view.host.founding === facts.systemIdentifier;
    const finished = view.host.systemIdentifier === facts.systemIdentifier;
    if (made && !finished && view.settings.bootstrap !== undefined) {
      if (memory.failures?.kind === 'finish-bootstrap' && memory.failures.count >= 3) {
        return {
          why: 'roles or post_bootstrap failed three times; the lease is kept, nothing is lost',
          waitsFor: [
            'an operator to correct bootstrap.post_bootstrap or authentication and reload',
          ],
        };
      }
      return { why: 'a new cluster: its roles are made', actions: [{ kind: 'finish-bootstrap' }] };
    }
    return {
      why: `records system ${facts.systemIdentifier} as the cluster`,
      actions: [{ kind: 'write-initialize', systemIdentifier: facts.systemIdentifier }],
    };
  },
};
