import { seededRandom } from '../harness/fake-store-clock.ts';
import { FAULTS, Faults } from './faults.ts';
import type { FaultKind } from './faults.ts';
import { World } from './world.ts';

/** After healing, someone accepts writes within this (I8). */
const SERVES_WITHIN_MILLIS = 40_000;
/** Pauses after failures grow to a minute; then a clone still has to be made. */
const WHOLE_WITHIN_MILLIS = 180_000;
const FOUNDED_WITHIN_MILLIS = 40_000;
const OPERATOR_EVERY_MILLIS = 5000;
/** Whole means: for so long. */
const STAYS_MILLIS = 3000;

export interface Outcome {
  readonly seed: number;
  /** Undefined: all was well. */
  readonly failure: string | undefined;
  readonly plan: string;
  readonly hash: string;
  readonly events: number;
  readonly virtualMillis: number;
  /** From healing to the first write, and to the last member streaming. */
  readonly servedAfterMillis: number | undefined;
  readonly wholeAfterMillis: number | undefined;
  readonly generations: number;
  readonly writes: number;
  /** Acknowledged and not in the log that survived: asynchronous replication. */
  readonly lost: number;
  /** Where everyone is at the end. */
  readonly state: readonly string[];
  readonly lastLines: readonly string[];
}

export interface SimulateOptions {
  readonly onTrace?: ((line: string) => void) | undefined;
  /** Instead of those that the seed draws. */
  readonly kinds?: readonly FaultKind[] | undefined;
  readonly members?: number | undefined;
}

/** One cluster, founded, tormented, healed and looked at; the same seed does the same. */
export async function simulate(seed: number, options: SimulateOptions = {}): Promise<Outcome> {
  const random = seededRandom(seed ^ 0x5eed);
  const draw = (): number => random.fraction();
  const drawnMembers = draw() < 0.7 ? 3 : 2 + Math.floor(draw() * 4);
  const members = options.members ?? drawnMembers;
  const share = 0.15 + draw() * 0.6;
  const drawn = FAULTS.filter(() => draw() < share);
  const kinds = options.kinds ?? drawn;
  const reclone = draw() < 0.7;
  const failsafe = draw() < 0.8;
  const meanPauseMillis = 500 + draw() * 5000;
  const faultMillis = 20_000 + draw() * 40_000;
  const fromTheStart = draw() < 0.2;
  const policy = { recloneOnRewindFailure: reclone, recloneOnDivergence: reclone, failsafe };
  const world = new World({ seed, members, settings: { policy }, onTrace: options.onTrace });
  const plan = `${members} members, a fault every ${Math.round(meanPauseMillis)} ms for ${Math.round(faultMillis / 1000)} s${fromTheStart ? ' from the start' : ''}, failsafe ${failsafe}, reclone ${reclone}: ${kinds.join(' ')}`;
  world.trace('WORLD', `seed ${seed}: ${plan}`);
  const faults = new Faults(world, random, kinds, meanPauseMillis);
  const failure = await live(world, faults, faultMillis, fromTheStart);
  const primary = world.primary()?.postgres.position();
  return {
    seed,
    plan,
    failure: failure.why,
    hash: world.traceHash(),
    events: world.queue.count,
    virtualMillis: world.now,
    servedAfterMillis: failure.served,
    wholeAfterMillis: failure.whole,
    generations: world.checks.generation()?.n ?? 0,
    writes: world.clients.count,
    lost: primary === undefined ? 0 : world.clients.lostIn(primary).length,
    state: world.explain(),
    lastLines: world.lastLines(120),
  };
}

interface Lived {
  readonly why: string | undefined;
  readonly served: number | undefined;
  readonly whole: number | undefined;
}

async function live(
  world: World,
  faults: Faults,
  faultMillis: number,
  fromTheStart: boolean,
): Promise<Lived> {
  const ended = (why: string, served?: number): Lived => {
    const first = world.violations[0];
    const said = first === undefined ? why : `${first.rule} at ${first.at}: ${first.what}`;
    return { why: said, served, whole: undefined };
  };
  world.boot();
  if (!fromTheStart && !(await world.until(() => world.checks.healthy(), FOUNDED_WITHIN_MILLIS)))
    return ended('L: the cluster was not founded in time');
  faults.start();
  await world.run(faultMillis);
  if (world.violations.length > 0) return ended('');
  faults.stop();
  const healedAt = world.now;
  operator(world);
  const serves = await world.until(() => world.primary() !== undefined, SERVES_WITHIN_MILLIS);
  if (!serves) return ended('L: nobody accepts writes after healing');
  const served = world.now - healedAt;
  const whole = await becomesWhole(world, healedAt);
  if (whole === undefined || world.violations.length > 0)
    return ended('L: the cluster does not become whole after healing', served);
  return { why: undefined, served, whole };
}

/** How long after healing; undefined: not within the bound. */
async function becomesWhole(world: World, healedAt: number): Promise<number | undefined> {
  const bound = world.now + WHOLE_WITHIN_MILLIS;
  while (world.now < bound && world.violations.length === 0) {
    if (!(await world.until(() => world.checks.healthy(), bound - world.now))) return undefined;
    const at = world.now - healedAt;
    const branch = world.primary()?.postgres.position()?.branch;
    // A command that was given before the healing may still change the leader.
    await world.run(STAYS_MILLIS);
    const stays = world.primary()?.postgres.position()?.branch === branch;
    if (world.checks.healthy() && stays) return at;
  }
  return undefined;
}

/** Somebody reads what the agents wait for, and does what they ask for. */
function operator(world: World): void {
  world.queue.after(OPERATOR_EVERY_MILLIS, () => {
    for (const host of world.hosts) {
      const asks = host.agent?.agent.explain().waitsFor.join(' ') ?? '';
      if (asks.includes('pgbaton reinit'))
        host.agent?.submit({ kind: 'reinitialize', force: false, fromLeader: true });
    }
    operator(world);
  });
}
