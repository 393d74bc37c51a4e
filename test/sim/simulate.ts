import { DRAWN, drawApart, drawWatched, Faults } from './faults.ts';
import type { FaultKind } from './faults.ts';
import { recover } from './liveness.ts';
import type { Recovery } from './liveness.ts';
import { Draw, describePlan, drawPlan, drawWatchdog } from './plan.ts';
import type { Plan } from './plan.ts';
import { Configurations } from './settings-source.ts';
import { World } from './world.ts';

const FOUNDED_WITHIN_MILLIS = 90_000;
/** The shortest fence budgets there are: where times are drawn, and where they are the defaults. */
const SHORTEST_FENCE_MILLIS = 200;
const DEFAULT_FENCE_MILLIS = 500;
/** One run in so many reads what Consul answers from bytes; the others are told what was meant. */
const READS_BYTES_EVERY = 10;

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
  /** Whether Consul's answers go through the codecs; unless given, one seed in ten. */
  readonly readsBytes?: boolean;
  /** Instead of what the seed draws; of the dynamic configuration, only these keys. */
  readonly plan?: Partial<Plan> | undefined;
}

/** One cluster, founded, tormented, healed and looked at; the same seed does the same. */
export async function simulate(seed: number, options: SimulateOptions = {}): Promise<Outcome> {
  const draw = Draw.seeded(seed ^ 0x5eed);
  const watchdog = drawWatchdog(Draw.seeded(seed ^ 0xd09));
  const plan = withGiven({ ...drawPlan(draw, options.members), watchdog }, options.plan);
  const drawn = DRAWN.filter(() => draw.chance(plan.share));
  const apart = drawApart(Draw.seeded(seed ^ 0xa9a7));
  const watched = drawWatched(Draw.seeded(seed ^ 0xd06), plan, drawn);
  const kinds = options.kinds ?? [...drawn, ...apart, ...watched];
  const timesDiffer = 'fence_budget' in plan.dynamic || kinds.includes('change-config');
  const world = new World({
    seed,
    members: plan.members,
    configurations: await Configurations.read(plan),
    keptWalBytes: plan.keptWalBytes,
    leastFenceBudgetMillis: timesDiffer ? SHORTEST_FENCE_MILLIS : DEFAULT_FENCE_MILLIS,
    readsBytes: options.readsBytes ?? seed % READS_BYTES_EVERY === 0,
    onTrace: options.onTrace,
  });
  const said = `${describePlan(plan)}: ${kinds.join(' ')}`;
  world.trace('WORLD', `seed ${seed}: ${said}`);
  const faults = new Faults(world, draw, kinds, plan);
  const recovery = await live(world, faults, plan, draw);
  const primary = world.primary()?.postgres.position();
  const first = world.violations[0];
  return {
    seed,
    plan: said,
    failure: first === undefined ? recovery.why : `${first.rule} at ${first.at}: ${first.what}`,
    hash: world.traceHash(),
    events: world.queue.count,
    virtualMillis: world.now,
    servedAfterMillis: recovery.servedAfterMillis,
    wholeAfterMillis: recovery.wholeAfterMillis,
    generations: world.checks.generation()?.n ?? 0,
    writes: world.clients.count,
    lost: primary === undefined ? 0 : world.clients.lostIn(primary).length,
    state: world.explain(),
    lastLines: world.lastLines(120),
  };
}

const withGiven = (drawn: Plan, given: Partial<Plan> | undefined): Plan => ({
  ...drawn,
  ...given,
  dynamic: { ...drawn.dynamic, ...given?.dynamic },
});

const NOT_FOUNDED: Recovery = {
  why: 'L: the cluster was not founded in time',
  servedAfterMillis: undefined,
  wholeAfterMillis: undefined,
};

async function live(world: World, faults: Faults, plan: Plan, draw: Draw): Promise<Recovery> {
  world.boot();
  if (!plan.fromTheStart) {
    const founded = await world.until(() => world.checks.healthy(), FOUNDED_WITHIN_MILLIS);
    if (!founded) return NOT_FOUNDED;
  }
  faults.start();
  await world.run(plan.faultMillis);
  if (world.violations.length > 0) return { ...NOT_FOUNDED, why: undefined };
  return recover(world, faults, draw, plan);
}
