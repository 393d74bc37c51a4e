import { setTimeout as delay } from 'node:timers/promises';
import { holderOf, saysPaused, valueOf } from '../core/cluster.ts';
import type { ClusterRecord, Lease } from '../core/cluster.ts';
import type { Result } from '../core/result.ts';
import { statusDocument } from '../wire/rest/status.ts';
import type { CommandContext } from './context.ts';
import { findCluster } from './lookup.ts';
import type { FoundCluster } from './lookup.ts';
import { readFromMember } from './member-read.ts';
import { failed } from './outcome.ts';
import type { CliFailure } from './outcome.ts';
import { printable } from './text-width.ts';

const POLL_MILLIS = 200;
/** A holder that beats ends its pause within a beat; Consul and an agent that starts get some time. */
const SHORTEST_PATIENCE_MILLIS = 4000;
const STORE_MILLIS = 3000;
/** From here on a person is told what is waited for. */
const SILENT_MILLIS = 1000;

type Step<T> = Promise<Result<T, CliFailure>>;

export interface Watched {
  readonly so: boolean;
  readonly cluster: FoundCluster;
  readonly forMillis: number;
}

/** Asks Consul until it is so or the time, which may depend on what was seen, is over. */
export async function watchRecord(
  context: CommandContext,
  scope: string,
  isSo: (record: ClusterRecord) => boolean,
  boundMillis: () => number,
): Step<Watched> {
  const begun = performance.now();
  const interrupt = new AbortController();
  const unsubscribe = context.terminal.onInterrupt(() => interrupt.abort());
  try {
    for (;;) {
      const found = await findCluster(context, scope);
      if (!found.ok) return found;
      const so = isSo(found.value.record);
      const forMillis = performance.now() - begun;
      // Whoever interrupts wants nothing more done, least of all what the wait was to make sure of.
      if (!so && interrupt.signal.aborted) {
        return failed(
          'unknown',
          'Interrupted: the change is configured, and whether it is in effect everywhere is not known.',
          'See "pgbaton list".',
        );
      }
      if (so || forMillis > boundMillis()) {
        return { ok: true, value: { so, cluster: found.value, forMillis } };
      }
      await delay(POLL_MILLIS);
    }
  } finally {
    unsubscribe();
  }
}

/** Who holds a lease that says paused, and so keeps everybody else from taking over. */
export const pausedHolder = (record: ClusterRecord): string | undefined =>
  saysPaused(valueOf(record.lease)) ? holderOf(record) : undefined;

/** A lease holds at least three beats. */
const patienceMillis = (lease: Lease | undefined): number =>
  Math.max(SHORTEST_PATIENCE_MILLIS, (lease?.ttlMillis ?? 0) / 3 + STORE_MILLIS);

/** What became of a paused lease while it was looked at. */
export interface PausedLeaseSeen {
  /** Undefined: it is paused no more. */
  readonly holder: string | undefined;
  /** Its holder wrote to it meanwhile. */
  readonly beats: boolean;
  readonly cluster: FoundCluster;
  readonly forMillis: number;
}

/**
 * Waits for the holder's own heartbeat to end the pause: as long as a beat may take, and longer once it
 * is seen to beat. `longestMillis` bounds either.
 */
export async function awaitEndOfPause(
  context: CommandContext,
  scope: string,
  longestMillis: number,
): Step<PausedLeaseSeen> {
  const begun = performance.now();
  let first: Lease | undefined;
  let beats = false;
  let told = false;
  const ended = (record: ClusterRecord): boolean => {
    const lease = valueOf(record.lease);
    first ??= lease;
    beats ||= lease?.beat !== first?.beat || lease?.id !== first?.id;
    const holder = pausedHolder(record);
    if (holder !== undefined && !told && performance.now() - begun > SILENT_MILLIS) {
      told = true;
      context.terminal.err(`Waiting for ${holder} to end the pause of its lease …\n`);
    }
    return holder === undefined;
  };
  const bound = (): number =>
    Math.min(longestMillis, beats ? longestMillis : patienceMillis(first));
  const watched = await watchRecord(context, scope, ended, bound);
  if (!watched.ok) return watched;
  const { cluster, forMillis } = watched.value;
  return { ok: true, value: { holder: pausedHolder(cluster.record), beats, cluster, forMillis } };
}

/** Why the lease is still paused, and what a person can do. */
export async function stillPaused(
  context: CommandContext,
  holder: string,
  { beats, cluster, forMillis }: PausedLeaseSeen,
): Promise<{ readonly ok: false; readonly error: CliFailure }> {
  const still = `It is configured, but the lease of ${holder} is still paused`;
  const seconds = (forMillis / 1000).toFixed(1);
  if (beats) {
    return failed(
      'unknown',
      `${still} after ${seconds} s: ${holder} beats, and has not taken the change up yet.`,
      `There is nothing to force. "pgbaton explain ${holder}" tells what it does; then try again.`,
    );
  }
  const silent = `${holder} has not beaten for ${seconds} s`;
  const nobody = 'as long as it may accept writes nobody takes over';
  const member = cluster.members.find(({ name }) => name === holder);
  const status =
    member === undefined
      ? undefined
      : await readFromMember(context, member, '/patroni', statusDocument);
  if (status?.ok === true) {
    const state = printable(status.value.state);
    return failed(
      'refused',
      `${still}: ${silent}, though its agent answers (Postgres: ${state}). It seems not to reach Consul, and ${nobody}.`,
      `Let ${holder} reach Consul. Only if its Postgres is certainly down: pgbaton resume --force`,
    );
  }
  return failed(
    'refused',
    `${still}: ${silent} and its agent does not answer; ${nobody}.`,
    `Start the agent of ${holder} again, which needs no --force. If Postgres of ${holder} is certainly down: pgbaton resume --force`,
  );
}
