import { countVotes } from './sync-terms.ts';
import type { Position, SyncStanding } from './sync-terms.ts';
import { plus, since } from './time.ts';
import type { Instant, Millis } from './time.ts';
import type { Canvass, View } from './view.ts';

/** Voters are asked again: soon when they have answered too early, and less often after a while. */
const EARLY_PAUSE_MILLIS: Millis = 30;
const PAUSE_MILLIS: Millis = 250;
const PAUSE_MAX_MILLIS: Millis = 1000;
const EAGER_MILLIS: Millis = 10_000;
/** A first round of questions has ended by then, whoever answered. */
const NEWS_MILLIS: Millis = 600;

/** Too few members have answered, or not what is needed: they are asked again and again. */
export interface VotesMissing {
  readonly kind: 'votes';
  readonly why: string;
  readonly waitsFor: string;
  /** They are asked again now. */
  readonly ask: boolean;
  readonly until: Instant | undefined;
}

type NeedsVotes = Extract<SyncStanding, { kind: 'needs-votes' }>;

interface Ground {
  readonly standing: { readonly kind: 'complete' } | NeedsVotes;
  readonly fitness: Position;
  /** When the lease was over. */
  readonly freeSince: Instant;
}

/** I5: voters have to answer before a takeover. Undefined: enough of them have, or none has to. */
export function votesShort(
  view: View,
  canvass: Canvass,
  { standing, fitness, freeSince }: Ground,
): VotesMissing | undefined {
  if (standing.kind === 'complete') return undefined;
  const count = countVotes(view, standing.terms, canvass, fitness, freeSince);
  if (count.missing === 0) return undefined;
  const patient = since(freeSince, view.now) > EAGER_MILLIS;
  const pauseMillis = count.early.length > 0 ? EARLY_PAUSE_MILLIS : PAUSE_MILLIS;
  const next = plus(canvass.finishedAt ?? view.now, patient ? PAUSE_MAX_MILLIS : pauseMillis);
  return missing(view, standing, count.of, { ask: view.now >= next, until: next });
}

/** While the voters are asked. The first round is news; those for votes that do not come are not. */
export function votesAsked(
  view: View,
  { standing, freeSince }: Ground,
  ask: boolean,
): VotesMissing | undefined {
  if (standing.kind === 'complete' || since(freeSince, view.now) <= NEWS_MILLIS) return undefined;
  const { voters } = standing.terms.electorate;
  return missing(view, standing, voters, { ask, until: undefined });
}

function missing(
  view: View,
  { terms: { electorate, remembered } }: NeedsVotes,
  of: readonly string[],
  next: Pick<VotesMissing, 'ask' | 'until'>,
): VotesMissing {
  const { voters, quorum } = electorate;
  const votes = remembered ? voters.length : quorum + 1;
  return {
    kind: 'votes',
    why: `that no synchronous commit is lost, ${votes} of ${voters.join(', ')} must have no more of the log than this member; too few have said so`,
    waitsFor: `${of.join(' or ')} to answer as a standby with no more of the log; or "pgbaton failover --candidate ${view.self} --force", which accepts the loss of what they may have`,
    ...next,
  };
}
