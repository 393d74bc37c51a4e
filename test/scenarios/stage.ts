import type { Command, CommandAnswer } from '../../src/agent/facade.ts';
import type { KvSnapshot } from '../harness/fake-store-kv.ts';
import type { Host } from '../sim/host.ts';
import { World } from '../sim/world.ts';
import { calmRandom } from './calm-random.ts';
import type { ScenarioSettings } from './settings.ts';
import { Story } from './story.ts';

const FOUNDED_WITHIN_MILLIS = 60_000;
/** At most; half of it on average, and everything takes its average time. */
const LATER_THAN_THE_ONE_BEFORE_MILLIS = 30;

/** The world of one transcript, with what its verbs have done to it and have to undo. */
export class Stage {
  readonly world: World;
  readonly story: Story;
  /** How each kind of command was answered last. */
  readonly answers = new Map<Command['kind'], CommandAnswer>();
  snapshot: KvSnapshot | undefined;
  readonly #heals = new Map<string, (() => void)[]>();
  readonly #forbidden: { readonly text: string; readonly holds: () => boolean }[] = [];
  /** What must never be and was. */
  broken: string | undefined;

  constructor(members: number, settings: ScenarioSettings) {
    const { failsafe = true, reclone = true, synchronous, ...timing } = settings;
    const policy = {
      failsafe,
      recloneOnDivergence: reclone,
      recloneOnRewindFailure: reclone,
      ...(synchronous !== undefined && {
        synchronous: {
          mode: synchronous === 'strict' ? ('on' as const) : synchronous,
          strict: synchronous === 'strict',
          nodeCount: 1,
          maximumLagBytes: undefined,
        },
      }),
    };
    this.story = new Story(() => this.world);
    this.world = new World({
      seed: 1,
      members,
      drift: 0,
      random: calmRandom(),
      settings: { policy, timing },
      onTrace: (line) => {
        this.story.trace(line);
      },
    });
    // Among equals the first one wins, and not whoever was asked first by chance.
    this.world.hosts.forEach(({ trouble }, index) => {
      trouble.timerLateMillis = index * LATER_THAN_THE_ONE_BEFORE_MILLIS;
    });
    this.world.onAnswer = (command, answer) => {
      this.answers.set(command.kind, answer);
    };
  }

  /** `first` alone founds the cluster, then the others join: it leads when the story begins. */
  async found(first: string | undefined): Promise<boolean> {
    const { world } = this;
    if (first === undefined) this.bootAll();
    else {
      world.clients.start();
      world.host(first).startAgent();
      if (!(await this.until(() => world.primary() !== undefined, FOUNDED_WITHIN_MILLIS)))
        return false;
      for (const host of world.hosts) host.startAgent();
    }
    const healthy = await this.until(() => world.checks.healthy(), FOUNDED_WITHIN_MILLIS);
    await this.run(2000);
    this.story.begin();
    return healthy;
  }

  bootAll(): void {
    this.world.boot();
  }

  forbid(text: string, holds: () => boolean): void {
    this.#forbidden.push({ text, holds });
  }

  /** Whatever `undo` is for is over when `of` is healed, or all is. */
  later(of: string, undo: () => void): void {
    this.#heals.set(of, [...(this.#heals.get(of) ?? []), undo]);
  }

  heal(of: string): void {
    for (const undo of this.#heals.get(of) ?? []) undo();
    this.#heals.delete(of);
  }

  healAll(): void {
    for (const of of this.#heals.keys()) this.heal(of);
  }

  /** Ends early when something is wrong. */
  async run(millis: number): Promise<void> {
    await this.until(() => false, millis);
  }

  /** Whether the condition came true within the bound. */
  async until(condition: () => boolean, boundMillis: number): Promise<boolean> {
    const { world } = this;
    if (condition()) return true;
    let held = false;
    await world.queue.runUntil(world.now + boundMillis, () => {
      this.story.look();
      held = condition();
      return held || this.#isBroken();
    });
    return held;
  }

  #isBroken(): boolean {
    if (this.world.violations.length > 0) return true;
    this.broken ??= this.#forbidden.find(({ holds }) => holds())?.text;
    return this.broken !== undefined;
  }

  host(name: string): Host {
    return this.world.host(name);
  }
}
