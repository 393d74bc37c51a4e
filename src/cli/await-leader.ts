import { setTimeout as delay } from 'node:timers/promises';
import type { ActionResult } from './actions.ts';
import type { CommandContext } from './context.ts';
import type { FoundCluster } from './lookup.ts';
import { leaderName } from './members.ts';

const POLL_MILLIS = 500;

/**
 * Settles a handover whose answer was lost: done when Consul names the candidate, or, without one,
 * anybody but the former leader; otherwise it stays unknown.
 */
export async function awaitLeader(
  context: CommandContext,
  before: FoundCluster,
  candidate: string | undefined,
  sent: ActionResult,
  patienceMillis: number,
): Promise<ActionResult> {
  const former = leaderName(before.record);
  const interrupt = new AbortController();
  const unsubscribe = context.terminal.onInterrupt(() => interrupt.abort());
  const begun = performance.now();
  try {
    while (!interrupt.signal.aborted && performance.now() - begun < patienceMillis) {
      const record = await context.reader.read(before.scope);
      const leader = record.ok && record.value !== undefined ? leaderName(record.value) : undefined;
      if (leader !== undefined && leader !== former && (candidate ?? leader) === leader) {
        const message = `The answer was lost (${sent.message}), but ${leader} leads now.`;
        return { ...sent, outcome: 'done', message };
      }
      await delay(POLL_MILLIS);
    }
    return sent;
  } finally {
    unsubscribe();
  }
}
