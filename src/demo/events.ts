import type { Millis } from '../core/time.ts';
import type { DemoMember } from './member.ts';
import type { Stack } from './stack.ts';
import { LIMITS } from './stack.ts';
import { until } from './wait.ts';
import type { Writer } from './writer.ts';
import { DemoError } from './demo-error.ts';

export type EventKind = 'host loss' | 'postmaster crash' | 'switchover';

/** What one event cost the clients. */
export interface EventOutcome {
  readonly kind: EventKind;
  readonly from: string;
  readonly to: string;
  /** Longest time without an acknowledged write, for the client that tries the members itself. */
  readonly directGapMillis: Millis;
  readonly proxiedGapMillis: Millis;
  /** Writes that both clients were told were done, since the outcome before this one. */
  readonly acknowledged: number;
  readonly lost: readonly LostWrite[];
  /** Log bytes the most advanced standby lacked just before; undefined when not asked. */
  readonly lagBytes: number | undefined;
}

interface LostWrite {
  readonly writer: string;
  readonly id: number;
  /** How long before the event its acknowledgement arrived; negative: after it. */
  readonly beforeEventMillis: Millis;
}

/** An event that has begun. */
export interface Begun {
  readonly kind: EventKind;
  readonly from: DemoMember;
  readonly atMillis: Millis;
  readonly lagBytes: number | undefined;
}

const QUIET_MILLIS = 5;
const QUIET_TIMEOUT_MILLIS = 2_000;

const writersOf = (stack: Stack): readonly Writer[] => [stack.direct, stack.proxied];

/**
 * The cluster as it should be before an event: one primary, all others streaming, HAProxy agreeing,
 * both clients writing. Answers the primary.
 */
export async function settle(stack: Stack): Promise<DemoMember> {
  const primary = await stack.cluster.waitForPrimary(LIMITS.takeoverMillis);
  await stack.cluster.waitForStreaming(primary, LIMITS.rejoinMillis);
  await stack.haproxy.whenPrimaryIs(primary.name, LIMITS.proxyMillis);
  await Promise.all(
    writersOf(stack).map(async (writer) => writer.nextAcknowledgement(LIMITS.writeMillis)),
  );
  return primary;
}

/** Begins an event on a settled cluster: notes when, and what the standbys lack. */
export async function begin(stack: Stack, kind: EventKind, from: DemoMember): Promise<Begun> {
  const lagBytes = await stack.cluster.replicationLagBytes(from);
  return { kind, from, atMillis: performance.now(), lagBytes };
}

/**
 * Waits for a moment between two writes, so that what an asynchronous standby has not got yet is
 * nothing. Without such a moment within its bound the event happens anyway.
 */
export async function betweenWrites(stack: Stack): Promise<void> {
  await until(
    'a moment between two writes',
    () => writersOf(stack).every((writer) => writer.isQuiet(QUIET_MILLIS)),
    { timeoutMillis: QUIET_TIMEOUT_MILLIS, intervalMillis: 1 },
  ).catch(() => undefined);
}

/** Waits until both clients write again on new connections. */
export async function writesAgain(stack: Stack, begun: Begun): Promise<void> {
  await Promise.all(
    writersOf(stack).map(async (writer) =>
      writer.whenReconnected(begun.atMillis, LIMITS.takeoverMillis),
    ),
  );
}

/** Longest time without an acknowledged write since the event, as this client saw it. */
export function gapOf(writer: Writer, begun: Begun): Millis {
  const gap = writer.log.longestGap(begun.atMillis);
  if (gap === undefined)
    throw new DemoError(`${writer.name} wrote nothing after the ${begun.kind}`);
  return gap.lengthMillis;
}

/** The cost of an event, once the cluster is settled again. */
export async function conclude(stack: Stack, begun: Begun): Promise<EventOutcome> {
  const primary = await settle(stack);
  const checks = await Promise.all(
    writersOf(stack).map(async (writer) => ({
      writer: writer.name,
      checked: await writer.check(primary.sqlTarget),
    })),
  );
  return {
    kind: begun.kind,
    from: begun.from.name,
    to: primary.name,
    directGapMillis: gapOf(stack.direct, begun),
    proxiedGapMillis: gapOf(stack.proxied, begun),
    acknowledged: checks.reduce((sum, { checked }) => sum + checked.acknowledged, 0),
    lost: checks.flatMap(({ writer, checked }) =>
      checked.lost.map(({ id, atMillis }) => ({
        writer,
        id,
        beforeEventMillis: begun.atMillis - atMillis,
      })),
    ),
    lagBytes: begun.lagBytes,
  };
}
