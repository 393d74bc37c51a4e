import type { Host } from './host.ts';
import type { Draw } from './plan.ts';
import type { World } from './world.ts';

/** What one fault may use: the world, chance, and somebody who undoes it. */
export interface Ground {
  readonly world: World;
  readonly draw: Draw;
  /** Undone after so long, or when all faults end. */
  readonly during: (millis: number, heal: () => void) => void;
}

/** One kind of fault: strikes this host, for so long where it lasts. */
export type Strike = (ground: Ground, host: Host, millis: number) => void;
