import { DecisionJournal } from '../../src/telemetry/journal.ts';
import type { Machine } from '../sim/model.ts';
import { replayJournal } from '../sim/run-journal.ts';
import type { World } from '../sim/world.ts';

/** The journals of all agents of a simulated world, as the agents of real hosts write them. */
export class Journals {
  readonly #lines = new Map<string, string[]>();
  readonly #journals = new Map<string, DecisionJournal>();

  of(world: World): void {
    const judge = world.onDecision.bind(world);
    world.onDecision = (machine, made) => {
      const { view, memory, decision } = made;
      this.#of(machine, world).record(view, memory, decision);
      judge(machine, made);
    };
  }

  #of({ address, clock }: Machine, world: World): DecisionJournal {
    const known = this.#journals.get(address);
    if (known !== undefined) return known;
    const lines: string[] = [];
    const journal = new DecisionJournal({
      journal: { record: (entry) => lines.push(JSON.stringify(entry)) },
      clock: { now: () => clock.now(), wall: () => clock.wall(), timer: () => () => undefined },
      logger: {
        log: (_level, message) => {
          world.violation('journal', message);
        },
      },
      version: 'sim',
    });
    this.#lines.set(address, lines);
    this.#journals.set(address, journal);
    return journal;
  }

  /** What is decided otherwise when it is decided again, and lines that could not be read. */
  differences(): readonly string[] {
    return [...this.#lines].flatMap(([address, lines]) => {
      const { differences, skipped } = replayJournal(lines);
      return skipped === 0 ? differences : [`${address}: ${skipped} lines left out`];
    });
  }
}
