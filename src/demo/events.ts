import type { Millis } from '../core/time.ts';
import type { DemoMember } from './member.ts';
import type { Stack } from './stack.ts';
import { LIMITS } from './stack.ts';
import { until } from './wait.ts';
import type { Acknowledgement } from './write-log.ts';
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
  /** Writes that both clients were told were done, from shortly before the event on. */
  readonly acknowledged: number;
  readonly lost: readonly LostWrite[];
  /** Log bytes the most advanced standby lacked just before; undefined when not asked. */
  readonly lagBytes: number | undefined;
}

export interface LostWrite {
  readonly writer: string;
  readonly id: number;
  /** How long before the event its acknowledgement arrived; negative: after it. */
  readonly beforeEventMillis: Millis;
}

/** An event that has begun: everything its cost is counted from. */
export interface Begun {
  readonly kind: EventKind;
  readonly from: DemoMember;
  readonly atMillis: Millis;
  readonly firstIds: ReadonlyMap<Writer, number>;
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

/** Begins an event on a settled cluster: notes where the clients are, and what the standbys lack. */
export async function begin(stack: Stack, kind: EventKind, from: DemoMember): Promise<Begun> {
  const lagBytes = await stack.cluster.replicationLagBytes(from);
  const firstIds = new Map(writersOf(stack).map((writer) => [writer, writer.nextId]));
  return { kind, from, atMillis: performance.now(), firstIds, lagBytes };
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

async function lostBy(writer: Writer, begun: Begun, primary: DemoMember): Promise<LostWrite[]> {
  const lost: Acknowledgement[] = await writer.lost(
    primary.sqlTarget,
    earliestCounted(writer, begun),
  );
  return lost.map(({ id, atMillis }) => ({
    writer: writer.name,
    id,
    beforeEventMillis: begun.atMillis - atMillis,
  }));
}

/** The last writes before an event are the ones that it may lose, so counting begins well before it. */
const COUNTED_BEFORE = 500;
const earliestCounted = (writer: Writer, begun: Begun): number =>
  Math.max(1, (begun.firstIds.get(writer) ?? 1) - COUNTED_BEFORE);

/** The cost of an event, once the cluster is settled again. */
export async function conclude(stack: Stack, begun: Begun): Promise<EventOutcome> {
  const primary = await settle(stack);
  const lost = await Promise.all(
    writersOf(stack).map(async (writer) => lostBy(writer, begun, primary)),
  );
  return {
    kind: begun.kind,
    from: begun.from.name,
    to: primary.name,
    directGapMillis: gapOf(stack.direct, begun),
    proxiedGapMillis: gapOf(stack.proxied, begun),
    acknowledged: writersOf(stack)
      .map((writer) => writer.log.countFrom(earliestCounted(writer, begun)))
      .reduce((sum, count) => sum + count, 0),
    lost: lost.flat(),
    lagBytes: begun.lagBytes,
  };
}
