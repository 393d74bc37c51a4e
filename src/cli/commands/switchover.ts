import type { Command } from 'commander';
import { holderOf, saysPaused, valueOf } from '../../core/cluster.ts';
import { needsCandidate } from '../../core/pause.ts';
import type { Result } from '../../core/result.ts';
import { sendAction, succeeded, exitCodeOf } from '../actions.ts';
import type { ActionResult } from '../actions.ts';
import { awaitLeader } from '../await-leader.ts';
import { confirmOrAbort, mustBeAbleToAsk } from '../confirm.ts';
import type { CommandContext } from '../context.ts';
import { findCluster, findMember, resolveCluster } from '../lookup.ts';
import type { FoundCluster } from '../lookup.ts';
import { leaderName, mayLead } from '../members.ts';
import type { MemberView } from '../members.ts';
import { done, failed } from '../outcome.ts';
import type { CliFailure, Outcome } from '../outcome.ts';
import { concludeResults } from '../report.ts';
import { examples, secondsOption } from '../runner.ts';
import type { Register, Runner } from '../runner.ts';
import { showTopology } from '../show-topology.ts';
import { isAsynchronousCandidate } from '../synchronous.ts';

/** Patroni polls up to a minute for the new leader; ours answers sooner. */
const DEFAULT_WAIT_SECONDS = 120;

/** How long Consul is asked who leads, when the answer was lost. */
const LONGEST_PATIENCE_MILLIS = 10_000;

type Action = 'switchover' | 'failover';

interface HandoverOptions {
  readonly leader?: string;
  readonly candidate?: string;
  readonly scheduled?: string;
  readonly waitTimeout?: number;
  readonly force?: boolean;
}

/** What is asked of the cluster, complete. */
interface Handover {
  readonly action: Action;
  readonly leader: string | undefined;
  readonly candidate: string | undefined;
  readonly scheduledAt: string | undefined;
  /** Stated for a paused lease. */
  readonly holderIsDown: boolean;
}

type Step<T> = Promise<Result<T, CliFailure>>;

async function chooseLeader(
  context: CommandContext,
  cluster: FoundCluster,
  options: HandoverOptions,
): Step<string> {
  const current = leaderName(cluster.record);
  const released = valueOf(cluster.record.lease)?.released;
  if (current === undefined && released !== undefined) {
    const to = released.handoff === undefined ? '' : ` to ${released.handoff}`;
    return failed(
      'refused',
      `Cluster ${cluster.scope} has no leader at this moment: the last one has handed over${to}.`,
      'Wait until "pgbaton list" shows a leader; if none comes, "pgbaton explain" tells why.',
    );
  }
  if (current === undefined) {
    return failed(
      'refused',
      `Cluster ${cluster.scope} has no leader, so there is nothing to switch over from.`,
      'Use "pgbaton failover --candidate MEMBER"; "pgbaton explain" tells why nobody leads.',
    );
  }
  let named = options.leader;
  if (named === undefined) {
    if (options.force === true) return { ok: true, value: current };
    const answer = await context.prompter.ask('Primary', current);
    if (!answer.ok) return answer;
    named = answer.value;
  }
  if (named === current) return { ok: true, value: current };
  const member = findMember(cluster, named);
  if (!member.ok) return member;
  return failed(
    'refused',
    `Member ${named} is not the leader of cluster ${cluster.scope}.`,
    `The leader is ${current}.`,
  );
}

async function chooseCandidate(
  context: CommandContext,
  cluster: FoundCluster,
  action: Action,
  options: HandoverOptions,
): Step<string | undefined> {
  const leader = leaderName(cluster.record);
  const able = cluster.members.filter(({ name, tags }) => name !== leader && mayLead(tags));
  const offered = action === 'switchover' ? synchronousFirst(cluster, able) : able;
  const names = offered.map(({ name }) => name).join(', ');
  const paused = valueOf(cluster.record.config)?.['pause'] === true;
  const mayBeAnybody = action === 'switchover' && !paused;
  if (able.length === 0) {
    return failed(
      'refused',
      `Nobody in cluster ${cluster.scope} could take over.`,
      'A candidate is a member that is not the leader and not tagged nofailover.',
    );
  }
  let named = options.candidate;
  if (named === undefined && options.force !== true) {
    const answer = await context.prompter.ask(
      `Candidate (${names})`,
      mayBeAnybody ? '' : undefined,
    );
    if (!answer.ok) return answer;
    named = answer.value;
  }
  if (named === undefined || named === '') {
    if (mayBeAnybody) return { ok: true, value: undefined };
    const why = paused ? `${needsCandidate(action)}.` : 'A failover needs a candidate.';
    return failed('usage', why, `Give --candidate, one of: ${names}.`);
  }
  return checkCandidate(cluster, named, leader, able);
}

/** With synchronous replication the agents hand over to those that it lists, as far as there are any. */
function synchronousFirst(
  { record }: FoundCluster,
  able: readonly MemberView[],
): readonly MemberView[] {
  const listed = able.filter(({ name }) => !isAsynchronousCandidate(record, name));
  return listed.length > 0 ? listed : able;
}

function checkCandidate(
  cluster: FoundCluster,
  named: string,
  leader: string | undefined,
  able: readonly MemberView[],
): Result<string, CliFailure> {
  const member = findMember(cluster, named);
  if (!member.ok) return member;
  if (able.some(({ name }) => name === named)) return { ok: true, value: named };
  return named === leader
    ? failed('refused', `${named} is the leader already.`, 'Name another member as candidate.')
    : failed(
        'refused',
        `${named} is tagged nofailover (or has failover_priority 0).`,
        'Remove the tag from its configuration and reload it, or name another candidate.',
      );
}

function question(handover: Handover, scope: string): string {
  const { action, leader, candidate, scheduledAt } = handover;
  const demoting = leader === undefined ? '' : `, demoting current leader ${leader}`;
  const target = candidate === undefined ? '' : ` to ${candidate}`;
  const when = scheduledAt === undefined ? '' : ` at ${scheduledAt}`;
  const loss = action === 'failover' ? ' Writes that it has not received are lost.' : '';
  return `Are you sure you want to ${action} cluster ${scope}${target}${demoting}${when}?${loss}`;
}

/**
 * Who holds a paused lease: if that member is not there, only a person can say that nobody writes
 * under it any more.
 */
const pausedHolder = ({ record }: FoundCluster, action: Action): string | undefined =>
  action === 'failover' && saysPaused(valueOf(record.lease)) ? holderOf(record) : undefined;

/** Says what is said by going on. */
async function stateHolderIsDown(
  context: CommandContext,
  holder: string | undefined,
  force: boolean,
): Step<void> {
  if (holder === undefined) return { ok: true, value: undefined };
  const statement = `The lease of ${holder} is paused. If ${holder} does not answer, going on says that its Postgres is certainly down; if it is not, two members accept writes.`;
  if (force) context.terminal.err(`Warning: ${statement}\n`);
  return confirmOrAbort(context, force, `${statement} Go on?`);
}

/** Patroni's extra question: this is what synchronous replication was to prevent. */
async function acceptLoss(
  context: CommandContext,
  { record }: FoundCluster,
  { action, candidate }: Handover,
  force: boolean,
): Step<void> {
  const risky = candidate !== undefined && isAsynchronousCandidate(record, candidate);
  if (action !== 'failover' || !risky) return { ok: true, value: undefined };
  const loss = `${candidate} is no synchronous standby: commits that were acknowledged may be lost.`;
  if (force) context.terminal.err(`Warning: ${loss}\n`);
  const text = `${loss} Are you sure you want to failover to the asynchronous node ${candidate}?`;
  return confirmOrAbort(context, force, text);
}

/**
 * Sends it to the leader, and a failover to the candidate when there is no leader or it is
 * provably not there.
 */
async function send(
  context: CommandContext,
  cluster: FoundCluster,
  handover: Handover,
  waitSeconds: number,
): Promise<ActionResult | undefined> {
  const { action, candidate, scheduledAt } = handover;
  const leader = leaderName(cluster.record);
  // A failover that names the leader would be taken for a switchover.
  const named = action === 'switchover' ? { leader: handover.leader } : {};
  const body = {
    ...named,
    candidate,
    ...(scheduledAt === undefined ? {} : { scheduled_at: scheduledAt }),
    ...(handover.holderIsDown ? { holder_is_down: true } : {}),
  };
  const request = {
    method: 'POST',
    path: `/${action}`,
    body,
    timeoutMillis: waitSeconds * 1000,
  } as const;
  const targets = action === 'switchover' ? [leader] : [leader, candidate];
  let last: ActionResult | undefined;
  for (const name of targets) {
    const member = cluster.members.find((each) => each.name === name);
    if (member === undefined) continue;
    last = await sendAction(context, member, request);
    if (last.outcome !== 'unreachable') return last;
  }
  return last;
}

function gapText(result: ActionResult): string {
  const gap = result.details['write_gap_ms'];
  // Our agents say it in their message already.
  if (/\d ms\b/.test(result.message)) return '';
  return typeof gap === 'number' ? ` (no writes for ${Math.round(gap)} ms)` : '';
}

async function conclude(
  context: CommandContext,
  cluster: FoundCluster,
  handover: Handover,
  sent: ActionResult,
  patienceMillis: number,
): Promise<Outcome> {
  // A lost answer is no lost switchover: Consul knows who leads now.
  const result =
    sent.outcome === 'unknown' && !sent.interrupted && handover.scheduledAt === undefined
      ? await awaitLeader(context, cluster, handover.candidate, sent, patienceMillis)
      : sent;
  const after = await findCluster(context, cluster.scope);
  if (context.format !== 'pretty') {
    return concludeResults(context, cluster.scope, handover.action, [result]);
  }
  if (succeeded(result)) context.terminal.out(`${result.message}${gapText(result)}\n`);
  if (after.ok) showTopology(context, after.value);
  if (succeeded(result)) return done;
  const status = result.status === undefined ? '' : ` (status ${result.status})`;
  return {
    ok: false,
    error: {
      exitCode: exitCodeOf(result),
      message: `${handover.action} failed${status}: ${result.message}`,
      hint: result.hint ?? '"pgbaton explain" tells who is a candidate, or why not.',
    },
  };
}

async function handOver(
  context: CommandContext,
  named: string | undefined,
  action: Action,
  options: HandoverOptions,
): Promise<Outcome> {
  const force = options.force === true;
  const askable = mustBeAbleToAsk(context, force);
  if (!askable.ok) return askable;
  const cluster = await resolveCluster(context, named);
  if (!cluster.ok) return cluster;
  if (context.format === 'pretty') context.terminal.out('Current cluster topology\n');
  showTopology(context, cluster.value);
  const current = leaderName(cluster.value.record);
  const leader =
    action === 'switchover'
      ? await chooseLeader(context, cluster.value, options)
      : ({ ok: true, value: current } as const);
  if (!leader.ok) return leader;
  const candidate = await chooseCandidate(context, cluster.value, action, options);
  if (!candidate.ok) return candidate;
  const scheduledAt = options.scheduled === 'now' ? undefined : options.scheduled;
  const holder = pausedHolder(cluster.value, action);
  const handover = {
    action,
    leader: leader.value,
    candidate: candidate.value,
    scheduledAt,
    holderIsDown: holder !== undefined,
  };
  const accepted = await acceptLoss(context, cluster.value, handover, force);
  if (!accepted.ok) return accepted;
  const stated = await stateHolderIsDown(context, holder, force);
  if (!stated.ok) return stated;
  const agreed = await confirmOrAbort(context, force, question(handover, cluster.value.scope));
  if (!agreed.ok) return agreed;
  const waitSeconds = options.waitTimeout ?? DEFAULT_WAIT_SECONDS;
  const sent = await send(context, cluster.value, handover, waitSeconds);
  if (sent === undefined) {
    return failed(
      'unreachable',
      `The leader ${leader.value ?? ''} has no member key, so its address is not known.`,
      'See "pgbaton list"; a failover goes to the candidate instead.',
    );
  }
  const patienceMillis = Math.min(LONGEST_PATIENCE_MILLIS, waitSeconds * 1000);
  return conclude(context, cluster.value, handover, sent, patienceMillis);
}

const addCommonOptions = (command: Command): Command =>
  command
    .argument('[cluster]', 'name of the cluster; default: scope of the configuration')
    .option('--candidate <member>', 'who takes over')
    .option(
      '--wait-timeout <seconds>',
      `how long to wait for the outcome (default: ${DEFAULT_WAIT_SECONDS})`,
      secondsOption(0.1),
    )
    .option('--force', 'do not ask');

function act(runner: Runner, command: Command, action: Action): void {
  command.action(
    (named: string | undefined, options: HandoverOptions & { readonly primary?: string }) =>
      runner.withContext(command, (context) => {
        const leader = options.leader ?? options.primary;
        return handOver(context, named, action, {
          ...options,
          ...(leader === undefined ? {} : { leader }),
        });
      }),
  );
}

export const registerSwitchover: Register = (program, runner) => {
  const command = addCommonOptions(
    program.command('switchover').description('hand leadership over to a healthy member'),
  )
    .option('--leader <member>', 'who leads now; checked')
    .option('--primary <member>', 'the same as --leader')
    .option('--scheduled <time>', '"now"; a time with its zone is for agents of Patroni')
    .addHelpText(
      'after',
      examples(
        'pgbaton switchover batman',
        'pgbaton switchover batman --leader node1 --candidate node2 --force',
      ),
    );
  act(runner, command, 'switchover');
};

export const registerFailover: Register = (program, runner) => {
  const command = addCommonOptions(
    program
      .command('failover')
      .description('make a member the leader, also when nobody leads; may lose writes'),
  ).addHelpText('after', examples('pgbaton failover batman --candidate node2'));
  act(runner, command, 'failover');
};
