import { join } from 'node:path';
import type { Millis } from '../core/time.ts';
import { REPOSITORY } from './binaries.ts';
import type { EventOutcome } from './events.ts';
import { begin, betweenWrites, conclude, gapOf, settle, writesAgain } from './events.ts';
import type { DemoMember } from './member.ts';
import type { Cell, Screen } from './screen.ts';
import { inSeconds } from './screen.ts';
import type { Stack } from './stack.ts';
import { LIMITS } from './stack.ts';
import { DemoError } from './demo-error.ts';

/** What a clean failover may cost on a machine that is busy with the demo itself. */
const ALLOWANCE_MILLIS = { 'host loss': 2_000, switchover: 2_000 } as const;

/** Power cut of the primary: everything of it dies at once, another takes over, the old one comes back. */
async function hostLoss(screen: Screen, stack: Stack): Promise<EventOutcome> {
  const primary = await settle(stack);
  const begun = await begin(stack, 'host loss', primary);
  await betweenWrites(stack);
  const event = { ...begun, atMillis: performance.now() };
  const killed = await primary.kill();
  const behind = begun.lagBytes === undefined ? 'unknown' : `${begun.lagBytes} bytes`;
  screen.line();
  screen.step(
    'host loss',
    `SIGKILL of all ${killed.length} processes of ${primary.name} (agent, guardian, PostgreSQL), ` +
      `between two writes; best standby ${behind} behind just before`,
    'bad',
  );
  const winner = await screen.during(
    'waiting for another primary',
    stack.cluster.waitForPrimary(LIMITS.takeoverMillis, primary),
  );
  const tookMillis = performance.now() - event.atMillis;
  screen.step('took over', `${winner.name} after ${inSeconds(tookMillis)}`, 'good');
  await screen.during('waiting for the writers', writesAgain(stack, event));
  screen.step(
    'writes',
    `again after ${inSeconds(gapOf(stack.direct, event))}, through HAProxy after ${inSeconds(gapOf(stack.proxied, event))}`,
    'good',
  );
  const restartedAt = performance.now();
  primary.start();
  await screen.during(
    `${primary.name} starts again and rejoins`,
    stack.cluster.waitForStreaming(winner, LIMITS.rejoinMillis),
  );
  const rejoinedMillis = performance.now() - restartedAt;
  screen.step(
    'rejoined',
    `${primary.name} streams from ${winner.name}, ${inSeconds(rejoinedMillis)} after its start`,
    'good',
  );
  return conclude(stack, event);
}

/** The old primary gets its place back, as planned maintenance would do it. */
async function switchover(
  screen: Screen,
  stack: Stack,
  candidate: DemoMember,
): Promise<EventOutcome> {
  const primary = await settle(stack);
  const begun = await begin(stack, 'switchover', primary);
  screen.line();
  screen.step('switchover', `POST /switchover from ${primary.name} to ${candidate.name}`);
  const answer = await screen.during(
    'waiting for the answer',
    stack.cluster.switchover(primary, candidate, LIMITS.takeoverMillis),
  );
  const answeredMillis = performance.now() - begun.atMillis;
  screen.step('answer', `${answer.trim()} (${inSeconds(answeredMillis)})`, 'good');
  await screen.during('waiting for the writers', writesAgain(stack, begun));
  await screen.during(
    `${primary.name} follows`,
    stack.cluster.waitForStreaming(candidate, LIMITS.rejoinMillis),
  );
  screen.step('follows', `${primary.name} streams from ${candidate.name}`);
  return conclude(stack, begun);
}

function limitOf(stack: Stack, outcome: EventOutcome): Millis {
  return outcome.kind === 'switchover'
    ? ALLOWANCE_MILLIS.switchover
    : stack.ttlMillis + ALLOWANCE_MILLIS['host loss'];
}

/** What is wrong with an outcome, in words; empty when nothing is. */
function faultsOf(stack: Stack, outcome: EventOutcome, wanted?: DemoMember): string[] {
  const faults: string[] = [];
  if (outcome.lost.length > 0) {
    faults.push(`${outcome.kind}: ${outcome.lost.length} acknowledged writes are lost`);
  }
  const limit = limitOf(stack, outcome);
  if (outcome.directGapMillis > limit) {
    faults.push(
      `${outcome.kind}: no write for ${inSeconds(outcome.directGapMillis)}, more than ${inSeconds(limit)}`,
    );
  }
  if (wanted !== undefined && outcome.to !== wanted.name) {
    faults.push(`${outcome.kind}: ${outcome.to} leads, asked for was ${wanted.name}`);
  }
  return faults;
}

function rowOf(stack: Stack, outcome: EventOutcome): Cell[] {
  const slow = outcome.directGapMillis > limitOf(stack, outcome);
  return [
    { text: outcome.kind },
    { text: `${outcome.from} -> ${outcome.to}` },
    { text: inSeconds(outcome.directGapMillis), right: true, tone: slow ? 'bad' : 'good' },
    { text: inSeconds(outcome.proxiedGapMillis), right: true },
    { text: String(outcome.acknowledged), right: true },
    {
      text: String(outcome.lost.length),
      right: true,
      tone: outcome.lost.length > 0 ? 'bad' : 'good',
    },
  ];
}

/** Runs the two events and prints the table; answers what was wrong. */
export async function runDemo(screen: Screen, stack: Stack): Promise<string[]> {
  const lossOutcome = await hostLoss(screen, stack);
  const returned = stack.cluster.member(lossOutcome.from);
  const switchOutcome = await switchover(screen, stack, returned);
  await Promise.all([stack.direct.stop(), stack.proxied.stop()]);
  screen.table(
    ['event', 'primary', 'write gap', 'through HAProxy', 'acknowledged writes', 'of these lost'],
    [lossOutcome, switchOutcome].map((outcome) => rowOf(stack, outcome)),
  );
  screen.line(
    `  The lease lives ${stack.ttlMillis / 1000} s: a lost host is replaced when it has run out. Both clients wrote every`,
  );
  screen.line(
    '  20 ms. Replication is asynchronous: a write acknowledged in the very last milliseconds before',
  );
  screen.line('  a power cut could be lost; the cut came between two writes.');
  screen.line();
  return [...faultsOf(stack, lossOutcome), ...faultsOf(stack, switchOutcome, returned)];
}

/** Where everything is, for the person who goes on from here. */
export function showAddresses(screen: Screen, stack: Stack): void {
  const { cluster, haproxy, consul, run } = stack;
  const psql = (port: number): string =>
    `PGPASSFILE=${stack.passwordFile} psql -h 127.0.0.1 -p ${port} -U ${cluster.logins.superuser.username}`;
  const [first] = cluster.members;
  if (first === undefined) throw new DemoError('the cluster has no member');
  const rows: [string, string][] = [
    ['writes', psql(haproxy.ports.primary)],
    ['reads', psql(haproxy.ports.replicas)],
    ...cluster.members.map((member): [string, string] => [
      member.name,
      `${member.restUrl}  (PostgreSQL at 127.0.0.1:${member.postgresPort})`,
    ]),
    ['HAProxy', `http://127.0.0.1:${haproxy.ports.stats}/`],
    ['Consul', consul.addresses.map((address) => `http://${address}`).join(' ')],
    ['CLI', `node ${join(REPOSITORY, 'dist/cli.js')} -c ${first.configFile} list`],
    ['logs', run.logs],
  ];
  screen.line(`  ${screen.paint('strong', 'The cluster stays up until Ctrl-C.')}`);
  for (const [label, text] of rows) screen.line(`  ${label.padEnd(8)} ${text}`);
  screen.line();
}

const WATCH_INTERVAL_MILLIS = 500;

/** Tells who leads, whenever that changes, for as long as the process lives. */
export async function watchLeader(screen: Screen, stack: Stack): Promise<never> {
  let known = '';
  for (;;) {
    const primaries = await stack.cluster.primaries();
    const names = primaries.map((member) => member.name).join(' and ') || 'nobody';
    if (names !== known) screen.step('primary', names, names === 'nobody' ? 'bad' : 'plain');
    known = names;
    await new Promise((resolve) => setTimeout(resolve, WATCH_INTERVAL_MILLIS));
  }
}
