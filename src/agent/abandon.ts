import { indexOf, saysPaused, valueOf } from '../core/cluster.ts';
import type { Answer } from '../core/action.ts';
import { readStore } from './ingest.ts';
import type { AgentState } from './state.ts';

const precondition = (message: string): Answer => ({
  kind: 'refused',
  cause: 'precondition',
  message,
});

/**
 * Releases a paused lease in the name of its holder, whose Postgres an operator says is down: the
 * election that follows is like after any release. A beat that comes meanwhile shows that the holder
 * lives, and refuses it; a holder that reads the release fences itself.
 */
export async function abandonLease(state: AgentState, holder: string): Promise<Answer> {
  const { store, settings, logger } = state.ports;
  const record = state.cluster?.value;
  const lease = record === undefined ? undefined : valueOf(record.lease);
  if (record === undefined || !saysPaused(lease))
    return precondition('the lease is not paused any more');
  const timeoutMillis = settings.current().policy.timing.retryTimeoutMillis;
  const answer = await store.commit(
    {
      guards: [
        { kind: 'index', key: 'generation', index: indexOf(record.generation) },
        { kind: 'index', key: 'lease', index: indexOf(record.lease) },
      ],
      changes: [
        {
          kind: 'set',
          entry: {
            key: 'lease',
            value: {
              ...lease,
              beat: lease.beat + 1,
              paused: undefined,
              // Who is down is no candidate; who has come back may have the most.
              released: { handoff: undefined, lsn: undefined, exclude: [] },
            },
          },
        },
      ],
    },
    timeoutMillis,
  );
  await readStore(state, timeoutMillis);
  switch (answer.kind) {
    case 'committed':
      logger.log(
        'warn',
        'a paused lease was given up in the name of its holder, as an operator asked',
        {
          holder,
          generation: lease.n,
        },
      );
      return {
        kind: 'done',
        message: `the lease of ${holder} was given up; the best member takes over`,
      };
    case 'refused':
      return precondition(`${holder} has beaten just now: its agent runs, and resumes by itself`);
    case 'unknown':
    case 'not-done':
      return {
        kind: 'failed',
        message: `Consul did not confirm that the lease of ${holder} is given up: ${answer.failure.message}`,
      };
  }
}
