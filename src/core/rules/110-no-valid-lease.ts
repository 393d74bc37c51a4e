import type { Rule } from '../decision.ts';
import { holdsLease, role } from '../facts.ts';

/** I3: nothing else is considered while Postgres may acknowledge writes without a lease. */
export const noValidLease: Rule = {
  number: 110,
  name: 'no-valid-lease',
  when: 'Postgres is (or may be becoming) a primary and no valid lease is held',
  evaluate(view) {
    if (holdsLease(view)) return undefined;
    const promoting = view.job?.kind === 'promote' || view.job?.kind === 'finish-bootstrap';
    if (role(view) !== 'primary' && !promoting) return undefined;
    const why =
      view.held === undefined
        ? 'Postgres is a primary and this member holds no lease'
        : 'the lease has ended and Postgres may be writable';
    return {
      why,
      actions: [{ kind: 'fence', cause: view.held === undefined ? 'no-lease' : 'lease-over' }],
    };
  },
};
