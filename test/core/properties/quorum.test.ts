import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ALONE,
  NO_VOTERS,
  electorateAfter,
  overlaps,
  planSync,
  ruleFor,
  votesMissing,
} from '../../../src/core/quorum.ts';
import type { CommitRule, Electorate, SyncGoal } from '../../../src/core/quorum.ts';

/**
 * A cluster as far as acknowledged commits go: each is known by who has it. Standbys receive in
 * order, so that each has a prefix of the log.
 */
class Model {
  readonly names = ['a', 'b', 'c', 'd', 'e'] as const;
  leader = 'a';
  electorate: Electorate = NO_VOTERS;
  rule: CommitRule = ALONE;
  /** How much of the log each member has flushed. */
  readonly has = new Map<string, number>(this.names.map((name) => [name, 0]));
  end = 0;
  acknowledged = 0;
  #barrier = 0;

  of(name: string): number {
    return this.has.get(name) ?? 0;
  }

  /** Written by the leader; `receivers` have flushed it, acknowledged when the rule says so. */
  commit(receivers: readonly string[]): void {
    this.end += 1;
    this.has.set(this.leader, this.end);
    for (const name of receivers) if (name !== this.leader) this.has.set(name, this.end);
    const flushed = this.rule.standbys.filter((name) => this.of(name) === this.end);
    if (flushed.length >= this.rule.count) this.acknowledged = this.end;
  }

  confirmed(): readonly string[] {
    return this.names.filter((name) => this.of(name) >= this.#barrier);
  }

  step(goal: SyncGoal): string {
    const { electorate, rule } = this;
    const step = planSync({ electorate, rule, confirmed: this.confirmed() }, goal);
    if (step.kind === 'electorate') this.electorate = step.electorate;
    if (step.kind === 'rule') this.setRule(step.rule);
    return step.kind;
  }

  setRule(rule: CommitRule): void {
    this.rule = rule;
    this.#barrier = this.end;
  }

  /** The winner takes over if those who answer suffice; whether it did. */
  fail(winner: string, answering: readonly string[]): boolean {
    const votes = answering.filter((name) => this.of(name) <= this.of(winner));
    const missing = votesMissing(this.electorate, this.leader, { candidate: winner, votes });
    if (missing > 0) return false;
    expect(this.of(winner), 'has all that was acknowledged').toBeGreaterThanOrEqual(
      this.acknowledged,
    );
    this.electorate = electorateAfter(this.electorate, this.leader, winner);
    this.leader = winner;
    this.end = this.of(winner);
    // Whoever is ahead has what nobody was told of, and comes back to the winner's log.
    for (const name of this.names) this.has.set(name, Math.min(this.of(name), this.end));
    this.setRule(ruleFor(this.electorate));
    return true;
  }

  /** Every set of voters that may decide has somebody who has all that was acknowledged. */
  check(): void {
    expect(overlaps(this.electorate, this.rule), 'overlap').toBe(true);
    expect(this.electorate.voters).not.toContain(this.leader);
    for (const deciding of subsets(this.electorate.voters, this.electorate.quorum + 1)) {
      const best = Math.max(...deciding.map((name) => this.of(name)));
      expect(best, `decided by ${deciding.join()}`).toBeGreaterThanOrEqual(this.acknowledged);
    }
  }
}

function subsets(of: readonly string[], size: number): readonly (readonly string[])[] {
  if (size === 0) return [[]];
  const [first, ...rest] = of;
  if (first === undefined) return [];
  return [...subsets(rest, size - 1).map((set) => [first, ...set]), ...subsets(rest, size)];
}

const members = fc.subarray(['a', 'b', 'c', 'd', 'e']);
const member = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('commit' as const), to: members }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('plan' as const),
      live: members,
      most: fc.integer({ min: 1, max: 4 }),
      quorum: fc.boolean(),
      strict: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('fail' as const), winner: member, answer: members }),
  },
);

function goalOf(live: readonly string[], most: number, quorum: boolean, strict: boolean): SyncGoal {
  const count = Math.min(most, live.length);
  return { standbys: quorum ? live : live.slice(0, count), count, strict };
}

test('no acknowledged commit is lost, whatever step of whatever plan the leader dies at', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const model = new Model();
      for (const happening of events) {
        if (happening.kind === 'commit') model.commit(happening.to);
        else if (happening.kind === 'fail') model.fail(happening.winner, happening.answer);
        else {
          const live = happening.live.filter((name) => name !== model.leader);
          model.step(goalOf(live, happening.most, happening.quorum, happening.strict));
        }
        model.check();
      }
    }),
    { numRuns: 3000 },
  );
});

test('from every step the goal is reached once its standbys have caught up', () => {
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 40 }),
      members,
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      (events, live, most, quorum) => {
        const model = new Model();
        for (const happening of events) {
          if (happening.kind === 'commit') model.commit(happening.to);
          else if (happening.kind === 'fail') model.fail(happening.winner, happening.answer);
          else {
            const there = happening.live.filter((name) => name !== model.leader);
            model.step(goalOf(there, happening.most, happening.quorum, happening.strict));
          }
        }
        const goal = goalOf(
          live.filter((name) => name !== model.leader),
          most,
          quorum,
          false,
        );
        const steps: string[] = [];
        for (let step = 0; step < 6; step += 1) {
          model.commit(goal.standbys);
          steps.push(model.step(goal));
          model.check();
        }
        expect(steps.at(-1), steps.join()).toBe('settled');
        expect(new Set(model.electorate.voters)).toEqual(new Set(goal.standbys));
        expect(model.rule.count).toBe(goal.count);
      },
    ),
    { numRuns: 2000 },
  );
});

test('only a candidate that has all that was acknowledged is ever voted for, and one exists', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const model = new Model();
      for (const happening of events) {
        if (happening.kind === 'commit') model.commit(happening.to);
        else if (happening.kind === 'plan') {
          const there = happening.live.filter((name) => name !== model.leader);
          model.step(goalOf(there, happening.most, happening.quorum, happening.strict));
        }
      }
      if (model.electorate.voters.length === 0) return;
      const best = model.electorate.voters.toSorted((x, y) => model.of(y) - model.of(x))[0];
      expect(model.fail(best ?? '', model.electorate.voters)).toBe(true);
    }),
  );
});
