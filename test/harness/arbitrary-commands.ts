import * as fc from 'fast-check';
import type { Instant } from '../../src/core/time.ts';
import type { PendingCommand } from '../../src/core/view.ts';

const STRANGER = 'pg9';

/** Anything that an operator may ask for, about these members or a stranger. */
export function commandOf(
  members: readonly string[],
  at: fc.Arbitrary<Instant>,
): fc.Arbitrary<PendingCommand> {
  const kinds = fc.oneof(
    fc.record({
      kind: fc.constantFrom('switchover', 'failover' as const),
      candidate: fc.option(fc.constantFrom(...members, STRANGER), { nil: undefined }),
      holderIsDown: fc.boolean(),
    }),
    fc.constant({ kind: 'abandon' } as const),
    fc.constant({ kind: 'restart', timeoutMillis: undefined } as const),
    fc.record({
      kind: fc.constant('reinitialize' as const),
      force: fc.boolean(),
      fromLeader: fc.boolean(),
    }),
    fc.constant({ kind: 'shutdown' } as const),
  );
  return fc.tuple(kinds, at).map(([given, asked]) => ({ ...given, id: 9, at: asked }));
}
