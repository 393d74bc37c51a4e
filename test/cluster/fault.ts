import type { Millis } from '../../src/core/time.ts';
import type { ChaosCluster } from './chaos-cluster.ts';
import type { Host } from './host.ts';

/** What a fault may cost; more is a fault of the product. */
export interface Allowance {
  /** Changes of leader: fewer would be none that was needed, more are false failovers. */
  readonly generations: readonly [least: number, most: number];
  /** Longest time without a write that is kept; undefined where it lasts as long as the fault. */
  readonly gapMillis: Millis | undefined;
  /** Between the first and the last acknowledged write that is lost; 0: none may be. */
  readonly lostSpanMillis: Millis;
  /** For how long a superseded primary may acknowledge after its successor did; 0: not one write. */
  readonly staleSpanMillis: Millis;
}

/** How a fault ends; everything is then repaired, and hosts that are down are booted by who tries it. */
export type Heal = () => Promise<void>;

/** What a fault is done to. */
export interface Scene {
  readonly cluster: ChaosCluster;
  /** Who leads when it begins. */
  readonly primary: Host;
  /** The other two. */
  readonly standbys: readonly [Host, Host];
}

export interface Fault {
  readonly name: string;
  /** What is done, for people. */
  readonly what: string;
  /** How long it lasts: in `npm test`, and measured by itself. */
  readonly holdMillis: { readonly short: Millis; readonly full: Millis };
  /** It ends earlier, a moment after somebody else has acknowledged writes. */
  readonly untilSucceeded?: boolean;
  readonly allowance: Allowance;
  /** Why it cannot be tried on this machine; undefined when it can. */
  readonly impossible?: () => string | undefined;
  /** Does it and answers how to undo it. */
  readonly begin: (scene: Scene) => Promise<Heal>;
}
