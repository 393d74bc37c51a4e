import { indexOf, saysPaused, valueOf } from '../core/cluster.ts';
import type { ClusterRecord, Lease, Release } from '../core/cluster.ts';
import { precondition } from '../core/action.ts';
import type { Answer } from '../core/action.ts';
import type { WriteAnswer } from '../ports/cluster-store.ts';
import { readStore } from './ingest.ts';
import type { AgentState } from './state.ts';

/**
 * Releases a paused lease in the name of its holder, whose Postgres an operator says is down: the
 * election that follows is like after any release. A beat that comes meanwhile shows that the holder
 * lives, and refuses it; a holder that reads the release fences itself.
 */
export async function abandonLease(state: AgentState, holder: string): Promise<Answer> {
  const record = state.cluster?.value;
  const lease = record === undefined ? undefined : pausedLease(record);
  if (record === undefined || lease === undefined)
    return precondition('the lease is not paused any more');
  // Who is down is no candidate; who has come back may have the most.
  const released = { handoff: undefined, lsn: undefined, exclude: [] };
  const answer = await writeRelease(state, record, lease, released);
  switch (answer.kind) {
    case 'committed':
      state.ports.logger.log(
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

/**
 * Releases the own paused lease, which is over on this host: this process does not hold it, and none
 * can again. Whatever is written first, a takeover of this member or this, refuses the other.
 */
export async function giveBackLease(
  state: AgentState,
  { lsn, exclude }: Pick<Release, 'lsn' | 'exclude'>,
): Promise<void> {
  const record = state.cluster?.value;
  const lease = record === undefined ? undefined : pausedLease(record);
  if (record === undefined || lease === undefined || state.held !== undefined) return;
  if (lease.id !== state.ports.guardian.state().over) return;
  const answer = await writeRelease(state, record, lease, { handoff: undefined, lsn, exclude });
  const { logger } = state.ports;
  if (answer.kind === 'committed')
    logger.log('info', 'the paused lease was given back', { generation: lease.n });
  else logger.log('warn', 'the paused lease could not be given back', { outcome: answer.kind });
}

function pausedLease(record: ClusterRecord): Lease | undefined {
  const lease = valueOf(record.lease);
  return saysPaused(lease) ? lease : undefined;
}

/** Of what was read last: any beat or takeover since refuses it. */
async function writeRelease(
  state: AgentState,
  record: ClusterRecord,
  lease: Lease,
  released: Release,
): Promise<WriteAnswer> {
  const { store, settings } = state.ports;
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
            value: { ...lease, beat: lease.beat + 1, paused: undefined, released },
          },
        },
      ],
    },
    timeoutMillis,
  );
  await readStore(state, timeoutMillis);
  return answer;
}
