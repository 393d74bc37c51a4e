import { CONSUL_FAULTS } from './faults-consul.ts';
import { HOST_FAULTS } from './faults-host.ts';
import { MEMBER_FAULTS } from './faults-members.ts';
import { NETWORK_FAULTS } from './faults-network.ts';
import { OPERATOR_FAULTS } from './faults-operator.ts';
import { POSTGRES_FAULTS } from './faults-postgres.ts';
import type { Ground, Strike } from './ground.ts';
import type { Host } from './host.ts';
import type { Draw, Plan } from './plan.ts';
import type { World } from './world.ts';

const STRIKES = {
  ...HOST_FAULTS,
  ...POSTGRES_FAULTS,
  ...NETWORK_FAULTS,
  ...CONSUL_FAULTS,
  ...OPERATOR_FAULTS,
  ...MEMBER_FAULTS,
} as const satisfies Readonly<Record<string, Strike>>;

export type FaultKind = keyof typeof STRIKES;

/** What can go wrong. Each seed draws some of these kinds and how often they strike. */
export const FAULTS = Object.keys(STRIKES) as readonly FaultKind[];

/** Not for seeds to draw: they strike where they are asked for. */
const ASKED_FOR: ReadonlySet<FaultKind> = new Set([
  'slow-replies',
  'one-way-consul',
  'pause-guardian',
  'foreign-leader',
] as const);
/** Drawn from a stream of their own, so that a seed without them is what it was. */
const APART: ReadonlySet<FaultKind> = new Set(['pause', 'resume'] as const);
/** Of hosts with a watchdog device only. */
const WATCHED: ReadonlySet<FaultKind> = new Set(['pause-guards', 'watchdog-trouble'] as const);
export const DRAWN = FAULTS.filter(
  (kind) => !ASKED_FOR.has(kind) && !APART.has(kind) && !WATCHED.has(kind),
);
const APART_SHARE = 0.3;
const WATCHED_SHARE = 0.5;

/**
 * What breaks A3 is left to the device. Not together with changes of ttl: while the device is set anew
 * there is none (Gaps of SPEC.md).
 */
export function drawWatched(
  draw: Draw,
  { watchdog }: Plan,
  drawn: readonly FaultKind[],
): readonly FaultKind[] {
  if (watchdog !== 'required' || drawn.includes('change-config')) return [];
  return [...WATCHED].filter(() => draw.chance(WATCHED_SHARE));
}

/** Maintenance is struck with both, or with neither. */
export const drawApart = (draw: Draw): readonly FaultKind[] =>
  draw.chance(APART_SHARE) ? [...APART] : [];

const SNAPSHOTS_MAX = 20;

/** Faults of one run: strikes at random moments, undoes each after a while, and all of them at the end. */
export class Faults {
  readonly #world: World;
  readonly #draw: Draw;
  readonly #kinds: readonly FaultKind[];
  readonly #meanPauseMillis: number;
  readonly #lasting: number;
  readonly #open = new Set<() => void>();
  readonly #ground: Ground;
  #over = false;

  constructor(
    world: World,
    draw: Draw,
    kinds: readonly FaultKind[],
    { meanPauseMillis, lasting }: Pick<Plan, 'meanPauseMillis' | 'lasting'>,
  ) {
    this.#world = world;
    this.#draw = draw;
    this.#kinds = kinds;
    this.#meanPauseMillis = meanPauseMillis;
    this.#lasting = lasting;
    this.#ground = {
      world,
      draw,
      during: (millis, heal) => {
        this.#during(millis, heal);
      },
    };
  }

  start(): void {
    if (this.#kinds.length > 0) this.#next();
  }

  #next(): void {
    const pause = -Math.log(1 - this.#draw.between(0, 1)) * this.#meanPauseMillis;
    this.#world.queue.after(pause, () => {
      if (this.#over) return;
      const { snapshots, consul } = this.#world;
      if (snapshots.length < SNAPSHOTS_MAX && this.#draw.chance(0.3))
        snapshots.push(consul.server.snapshot());
      this.strike(this.#draw.pick(this.#kinds));
      this.#next();
    });
  }

  /** All faults end, and everything that was broken works again. */
  stop(): void {
    this.#over = true;
    for (const heal of this.#open) heal();
    this.#world.heal();
    this.#world.trace('WORLD', 'healed');
  }

  /** The leader is where it hurts most. */
  #someHost(): Host {
    const primary = this.#world.primary();
    return primary !== undefined && this.#draw.chance(0.5)
      ? primary
      : this.#draw.pick(this.#world.hosts);
  }

  #during(millis: number, heal: () => void): void {
    const once = (): void => {
      if (!this.#open.delete(once)) return;
      this.#world.disturbed();
      heal();
    };
    this.#open.add(once);
    this.#world.queue.after(millis, once);
  }

  strike(kind: FaultKind): void {
    const host = this.#someHost();
    const usual = this.#draw.between(100, this.#draw.chance(0.3) ? 15_000 : 5000);
    const millis = usual * this.#lasting;
    this.#world.trace('FAULT', `${kind} ${host.address} for ${Math.round(millis)} ms`);
    this.#world.disturbed();
    STRIKES[kind](this.#ground, host, millis);
  }
}
