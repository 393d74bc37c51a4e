import type { Action } from './action.ts';
import { ownEligibility } from './candidates.ts';
import { valueOf } from './cluster.ts';
import type { ClusterRecord } from './cluster.ts';
import type { Decision } from './decision.ts';
import { clusterIdentifier, hasAmnesia, holdsLease, leaseIsOver, record, role } from './facts.ts';
import { leaseOverAt } from './observation.ts';
import { isPaused, pausedHolder, saysHolderIsDown } from './pause.ts';
import { mayGoAloneAt, mostAreFree } from './reach.ts';
import { stepsOverlap, takeoverKeepsCommits } from './sync-checks.ts';
import { since } from './time.ts';
import type { View } from './view.ts';
import { watchdogFault } from './watchdog.ts';

/**
 * What every decision must satisfy, whatever was observed: checked over arbitrary Views by the tests
 * and over every decision of the simulator. Each check says which part of SPEC.md it serves; none
 * repeats how a rule came to its verdict.
 */
export interface DecisionCheck {
  /** As in SPEC.md. */
  readonly id: string;
  readonly claim: string;
  /** The invariants and protocol rules that it is a consequence of. */
  readonly serves: readonly string[];
  /** What is wrong, undefined: nothing. */
  readonly fault: (view: View, decision: Decision) => string | undefined;
}

export interface Breach {
  readonly id: string;
  readonly claim: string;
  readonly fault: string;
}

/** What a decision breaks; empty when it is sound. */
export function breachesOf(view: View, decision: Decision): readonly Breach[] {
  const breaches: Breach[] = [];
  for (const check of DECISION_CHECKS) {
    const found = check.fault(view, decision);
    if (found !== undefined) breaches.push({ id: check.id, claim: check.claim, fault: found });
  }
  return breaches;
}

type Kind = Action['kind'];

/** Actions that become jobs: one runs at a time. */
const JOBS: ReadonlySet<Kind> = new Set([
  'start',
  'stop',
  'promote',
  'checkpoint',
  'initialise',
  'finish-bootstrap',
  'clone',
  'rewind',
  'diagnose',
  'set-aside',
]);
const NEEDS_DOWN: readonly Kind[] = ['start', 'clone', 'rewind', 'initialise', 'set-aside'];
const REPLACES_DATA: readonly Kind[] = ['clone', 'rewind', 'set-aside', 'initialise'];
const LEADERS_DUTIES: readonly Kind[] = [
  'write-initialize',
  'record-promotion',
  'write-history',
  'reconcile-slots',
  'finish-bootstrap',
  'set-sync-names',
];

const has = (decision: Decision, kind: Kind): boolean =>
  decision.actions.some((action) => action.kind === kind);

const ordered = (decision: Decision, kinds: readonly Kind[]): Kind | undefined =>
  decision.actions.find((action) => kinds.includes(action.kind))?.kind;

const find = <K extends Kind>(
  decision: Decision,
  kind: K,
): Extract<Action, { kind: K }> | undefined =>
  decision.actions.find((action): action is Extract<Action, { kind: K }> => action.kind === kind);

const mayBeWritable = (view: View): boolean =>
  role(view) === 'primary' || view.job?.kind === 'promote' || view.job?.kind === 'finish-bootstrap';

function fenceFirst(view: View, decision: Decision): string | undefined {
  if (holdsLease(view) || !mayBeWritable(view)) return undefined;
  const [first, ...others] = decision.actions;
  if (first?.kind !== 'fence') return `${decision.rule} does not fence first`;
  return others.length === 0 ? undefined : `${others.length} more actions follow the fence`;
}

function promotion(view: View, decision: Decision): string | undefined {
  if (!has(decision, 'promote')) return undefined;
  if (view.held === undefined || !holdsLease(view)) return 'promotes without a valid lease';
  if (role(view) !== 'standby') return `promotes a server that is ${role(view)}`;
  const { heartbeatMillis, fenceBudgetMillis } = view.settings.policy.timing;
  const leftMillis = since(view.now, view.held.end);
  return leftMillis < 2 * heartbeatMillis + fenceBudgetMillis
    ? `promotes with ${leftMillis} ms of the lease left`
    : undefined;
}

function unwatched({ settings, watchdog }: View, decision: Decision): string | undefined {
  const kind = ordered(decision, ['takeover', 'promote']);
  const why = watchdogFault(settings.watchdog, watchdog);
  return kind === undefined || why === undefined ? undefined : `${kind}: ${why}`;
}

function leaseIsFree(view: View, basis: string): boolean {
  const cluster = record(view);
  if (cluster === undefined) return false;
  if (timeHasEndedIt(view, cluster, basis)) return true;
  const lease = valueOf(cluster.lease);
  const generation = valueOf(cluster.generation);
  // Rule 420 founds after any release: there is no record of a cluster that it could belong to.
  if (lease?.released !== undefined && basis === 'bootstrap') return !hasAmnesia(view);
  // Patroni has led since: neither a release nor an own lapsed lease was the last word.
  if (view.observation?.overtaken === true) return false;
  if (lease?.released !== undefined) return !hasAmnesia(view) && lease.id === generation?.id;
  return generation !== undefined && !hasAmnesia(view) && wasOwn(view, generation.id);
}

/** Rule 420 founds where no member has promised anything to anyone. */
const timeHasEndedIt = (view: View, cluster: ClusterRecord, basis: string): boolean =>
  leaseIsOver(view) &&
  !isKeptPaused(view) &&
  (basis === 'bootstrap' || !mayBeStretched(view, cluster));

/** No time ends a paused lease. */
const isKeptPaused = (view: View): boolean =>
  pausedHolder(view) !== undefined && !saysHolderIsDown(view);

const wasOwn = (view: View, id: string): boolean =>
  id === view.lapsedId || (id === view.wonLateId && mostAnswer(view));

/** Nobody can have led unknown to most of the members. */
function mostAnswer({ canvass }: View): boolean {
  const opinions = canvass?.opinions ?? [];
  const heard = opinions.filter(({ report }) => report !== undefined).length + 1;
  return 2 * heard > opinions.length + 1;
}

/** Promises of most may carry the lease on, and nobody has said that they do not. */
function mayBeStretched(view: View, cluster: ClusterRecord): boolean {
  const { canvass, observation } = view;
  if (observation === undefined) return true;
  const amnesia = hasAmnesia(view);
  if (view.now >= mayGoAloneAt(view, observation, cluster)) return false;
  const over = leaseOverAt(observation, cluster, amnesia);
  return canvass === undefined || canvass.askedAt < over || !mostAreFree(view, canvass, cluster);
}

function takeoverGround(view: View, decision: Decision): string | undefined {
  const takeover = find(decision, 'takeover');
  if (takeover === undefined) return undefined;
  if (holdsLease(view)) return 'takes over from itself';
  if (view.takeover !== undefined) return 'another takeover of its own is not settled';
  const cluster = record(view);
  const key = cluster === undefined ? undefined : valueOf(cluster.leader);
  const holder = cluster === undefined ? undefined : valueOf(cluster.generation)?.holder;
  if (key !== undefined && key.member !== view.self && key.member !== holder) {
    return `key leader names ${key.member}`;
  }
  return leaseIsFree(view, takeover.basis) ? undefined : 'nothing shows that the lease is over';
}

function takeoverFitness(view: View, decision: Decision): string | undefined {
  const takeover = find(decision, 'takeover');
  if (takeover === undefined) return undefined;
  if (takeover.basis === 'bootstrap') {
    const kind = view.directory?.value.kind;
    if (clusterIdentifier(view) !== undefined) return 'founds a cluster that exists';
    return kind === 'absent' || kind === 'unfinished' ? undefined : `founds one over ${kind}`;
  }
  const forced = view.command?.kind === 'failover' && view.command.candidate === view.self;
  const fitness = ownEligibility(view, forced);
  return fitness.kind === 'eligible' ? undefined : fitness.why;
}

function takeoverNumber(view: View, decision: Decision): string | undefined {
  const n = find(decision, 'takeover')?.n;
  if (n === undefined) return undefined;
  const cluster = record(view);
  const known = cluster === undefined ? undefined : valueOf(cluster.generation)?.n;
  const least = Math.max(known ?? 0, view.host.floor.n);
  return n > least ? undefined : `${n} is not above ${least}`;
}

function onlyWhenDown(view: View, decision: Decision): string | undefined {
  const kind = ordered(decision, NEEDS_DOWN);
  if (kind === undefined || role(view) === 'down') return undefined;
  return `${kind} while Postgres is ${role(view)}`;
}

function leadersData(view: View, decision: Decision): string | undefined {
  const kind = ordered(decision, REPLACES_DATA);
  if (kind === undefined || !holdsLease(view)) return undefined;
  return view.directory?.value.kind === 'cluster' ? `${kind} of the leader's data` : undefined;
}

/** Of the own lease, which was found over on this host, and under which nothing runs. */
function giveBack(view: View, decision: Decision): string | undefined {
  if (!has(decision, 'give-back')) return undefined;
  const cluster = record(view);
  const lease = cluster === undefined ? undefined : valueOf(cluster.lease);
  if (view.held !== undefined) return 'gives a lease back while it holds one';
  if (lease === undefined || lease.id !== view.over)
    return 'gives back a lease under which Postgres was not proved down here';
  return mayBeWritable(view) ? `gives it back while Postgres is ${role(view)}` : undefined;
}

function release(view: View, decision: Decision): string | undefined {
  const given = giveBack(view, decision);
  if (given !== undefined) return given;
  const at = decision.actions.findIndex((action) => action.kind === 'release');
  if (at < 0) return undefined;
  if (!holdsLease(view)) return 'releases a lease that it does not hold';
  const fenced = decision.actions.slice(0, at).some((action) => action.kind === 'fence');
  return fenced || role(view) === 'down' ? undefined : `Postgres is ${role(view)}`;
}

function oneJob(view: View, decision: Decision): string | undefined {
  const jobs = decision.actions.filter((action) => JOBS.has(action.kind));
  if (jobs.length > 1) return jobs.map((action) => action.kind).join(', ');
  const [job] = jobs;
  // Only a stop may be wished while another job runs: the shell refuses it, and it is wished again.
  if (job === undefined || view.job === undefined || job.kind === 'stop') return undefined;
  return `${job.kind} while ${view.job.kind} runs`;
}

function foundation(view: View, decision: Decision): string | undefined {
  if (!has(decision, 'initialise')) return undefined;
  if (!holdsLease(view)) return 'without a lease';
  if (clusterIdentifier(view) !== undefined) return 'the cluster exists';
  if (view.settings.bootstrap === undefined) return 'without a bootstrap section';
  return view.directory?.value.kind === 'absent' ? undefined : 'over something that is there';
}

function duties(view: View, decision: Decision): string | undefined {
  const kind = ordered(decision, LEADERS_DUTIES);
  if (kind === undefined || (holdsLease(view) && role(view) === 'primary')) return undefined;
  return `${kind} by a member that does not lead`;
}

/** What is left running is fenced by the guardian at a deadline that nobody moves on. */
function doomed({ postmaster, guarded, held }: View): string | undefined {
  if (postmaster.kind !== 'up') return undefined;
  if (guarded?.paused === false) return 'leaves Postgres under a deadline';
  return held === undefined || guarded?.leaseId === held.id
    ? undefined
    : 'leaves Postgres under a lease that the guardian does not know';
}

function departure(view: View, decision: Decision): string | undefined {
  const leave = find(decision, 'leave');
  if (leave === undefined) return undefined;
  if (leave.keep === true && isPaused(view) && view.held?.paused !== false) return doomed(view);
  if (holdsLease(view)) return 'leaves with the lease';
  return role(view) === 'down' ? undefined : `leaves Postgres ${role(view)}`;
}

function upstream(view: View, decision: Decision): string | undefined {
  const target = find(decision, 'start')?.target ?? find(decision, 'follow')?.target;
  if (target?.upstream === undefined) return undefined;
  if (holdsLease(view)) return 'the leader follows nobody';
  return target.upstream.name === view.self ? 'follows itself' : undefined;
}

/** An operator's wish is one that waits for its answer, or one whose end is remembered. */
function unasked(view: View, decision: Decision): string | undefined {
  if (!isPaused(view) || view.command !== undefined) return undefined;
  const { restart, manual, handover } = decision.memory;
  if (restart !== undefined || manual !== undefined || handover !== undefined) return undefined;
  return ordered(decision, ['stop', 'give-back', ...NEEDS_DOWN]);
}

const reason = (_view: View, { rule, why }: Decision): string | undefined =>
  why === '' ? `${rule} gives no reason` : undefined;

export const DECISION_CHECKS: readonly DecisionCheck[] = [
  {
    id: 'D1',
    claim: 'what may be writable without a lease is fenced first',
    serves: ['I3'],
    fault: fenceFirst,
  },
  {
    id: 'D2',
    claim: 'a promotion is of a standby, under enough lease',
    serves: ['I3', 'I4', 'P7'],
    fault: promotion,
  },
  {
    id: 'D3',
    claim: 'a takeover rests on a lease that is over',
    serves: ['I2', 'P2', 'P4', 'P9', 'P17'],
    fault: takeoverGround,
  },
  {
    id: 'D4',
    claim: 'a takeover is by a member that is fit',
    serves: ['I6', 'I7'],
    fault: takeoverFitness,
  },
  {
    id: 'D5',
    claim: 'a takeover raises the generation above all seen',
    serves: ['I1', 'P8'],
    fault: takeoverNumber,
  },
  {
    id: 'D6',
    claim: 'data are touched only when Postgres is down',
    serves: ['I7'],
    fault: onlyWhenDown,
  },
  { id: 'D7', claim: "the leader's data are not replaced", serves: ['I7'], fault: leadersData },
  {
    id: 'D8',
    claim: 'a release follows the end of Postgres',
    serves: ['I2', 'P1'],
    fault: release,
  },
  { id: 'D9', claim: 'one job at a time', serves: ['I7'], fault: oneJob },
  {
    id: 'D10',
    claim: 'a new data directory is made only to found a cluster',
    serves: ['I7', 'P11'],
    fault: foundation,
  },
  { id: 'D11', claim: "a leader's duties are done by the leader", serves: ['I1'], fault: duties },
  {
    id: 'D12',
    claim: 'nobody leaves a running Postgres or a lease behind',
    serves: ['I3', 'I8'],
    fault: departure,
  },
  {
    id: 'D13',
    claim: 'the leader follows nobody, and nobody itself',
    serves: ['I4'],
    fault: upstream,
  },
  { id: 'D14', claim: 'every decision says why', serves: ['I8'], fault: reason },
  {
    id: 'D15',
    claim: 'a takeover has every synchronous commit, or an operator accepts the loss',
    serves: ['I5'],
    fault: takeoverKeepsCommits,
  },
  {
    id: 'D16',
    claim: 'whoever may be promoted is waited for, at each step',
    serves: ['I5'],
    fault: stepsOverlap,
  },
  {
    id: 'D17',
    claim: 'in maintenance mode nothing is started, stopped or replaced unasked',
    serves: ['P15'],
    fault: unasked,
  },
  {
    id: 'D18',
    claim: 'who has to have a watchdog and has none takes no lease and promotes nothing',
    serves: ['P18'],
    fault: unwatched,
  },
];
