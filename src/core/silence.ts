import { role } from './facts.ts';
import { since } from './time.ts';
import type { Millis } from './time.ts';
import type { View } from './view.ts';

/** One probe that is slow is nothing, and three in a row are no accident. */
const PROBES_LEAST = 3;
/** A postmaster listens before it has set up its memory, and takes no connection until then. */
const STARTS_WITHIN_MILLIS: Millis = 60_000;

/**
 * A server that runs and has answered nobody for `primary_hang_timeout`: neither the session that is
 * kept nor the postmaster. Undefined: it lives, or there is not enough evidence yet. A login that is
 * refused is a sign of life, and so is a postmaster that answers for sessions that do not.
 */
export function hangOf(view: View): string | undefined {
  const { silence, postmaster } = view;
  const limitMillis = view.settings.policy.timing.primaryHangTimeoutMillis;
  if (silence === undefined || postmaster.kind !== 'up' || limitMillis === 0) return undefined;
  const isNew = since(postmaster.startedAt, view.now) < STARTS_WITHIN_MILLIS;
  if (view.aliveAt === undefined && isNew) return undefined;
  if (silence.probes < PROBES_LEAST || silence.waitedMillis < limitMillis) return undefined;
  const who = role(view) === 'unanswered' ? 'has answered nobody' : 'has taken no new connection';
  return `Postgres ${who} for ${inSeconds(silence.waitedMillis)} s (${silence.probes} probes), longer than primary_hang_timeout of ${inSeconds(limitMillis)} s`;
}

const inSeconds = (millis: Millis): number => Math.round(millis / 100) / 10;
