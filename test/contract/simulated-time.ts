import type { World } from '../sim/world.ts';

const STEP_MILLIS = 2;
const STEPS_MAX = 20_000;

/** Time passes until it is so. */
export async function untilIn(world: World, what: string, condition: () => boolean): Promise<void> {
  for (let step = 0; step < STEPS_MAX && !condition(); step += 1) await world.run(STEP_MILLIS);
  if (!condition()) throw new Error(`not within ${STEPS_MAX * STEP_MILLIS} ms: ${what}`);
}

/** What a call answers, as soon as it does. */
export async function answerIn<T>(world: World, call: Promise<T>): Promise<T> {
  let done = false;
  void call.finally(() => {
    done = true;
  });
  await untilIn(world, 'an answer', () => done);
  return call;
}
