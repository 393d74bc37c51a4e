import type { Command, CommandAnswer } from '../../src/agent/facade.ts';
import type { Draw } from './plan.ts';
import type { Machine } from './model.ts';
import { FAIR } from './network.ts';
import type { World } from './world.ts';

/** Longer than an agent waits for any outcome. */
const ANSWERED_WITHIN_MILLIS = 130_000;
const SETTLED_WITHIN_MILLIS = 60_000;
const QUIET_MILLIS = 5000;
/** A leader may refuse what was left for it in Consul: whoever was asked is told only that it was dropped. */
const REFUSED = 'request in key failover ended {"outcome":"refused"';

/**
 * Nothing has been wrong for a while: a planned change of leader goes through, says so, and leaves nothing
 * behind, whoever is asked. Answers what is wrong; undefined: nothing, or it was refused with a reason.
 */
export async function judgePlannedChanges(world: World, draw: Draw): Promise<string | undefined> {
  // Slow is not wrong.
  world.network.weather = { ...FAIR, latencyMillis: draw.pick([2, 50, 100]) };
  for (const asksLeader of [true, false]) {
    await world.run(draw.between(0, QUIET_MILLIS));
    const leader = world.primary();
    const asked = asksLeader ? leader : draw.pick(world.hosts);
    if (leader === undefined || asked?.agent === undefined) return undefined;
    const answer = await ask(world, asked, leader.name);
    const refused = world.lastLines(400).some((line) => line.includes(REFUSED));
    if (world.violations.length > 0 || answer?.kind === 'refused' || refused) return undefined;
    const where = `S: a switchover from ${leader.address} that ${asked.address} was asked for`;
    if (answer?.kind !== 'done') return `${where} fails: ${JSON.stringify(answer)}`;
    const moved = await world.until(() => isSettled(world), SETTLED_WITHIN_MILLIS);
    if (!moved) return `${where} is done, and not everybody follows, or the request is still there`;
    if (world.primary() === leader) return `${where} is done, and that one leads`;
  }
  return undefined;
}

const isSettled = (world: World): boolean =>
  world.checks.healthy() && world.record().failover.kind === 'absent';

/** Undefined: no answer. */
async function ask(
  world: World,
  { agent }: Machine,
  leader: string,
): Promise<CommandAnswer | undefined> {
  const command: Command = { kind: 'switchover', leader, candidate: undefined };
  let answer: CommandAnswer | undefined;
  world.onAnswer = (to, given) => {
    if (to === command) answer = given;
  };
  agent?.submit(command);
  await world.until(() => answer !== undefined, ANSWERED_WITHIN_MILLIS);
  return answer;
}
