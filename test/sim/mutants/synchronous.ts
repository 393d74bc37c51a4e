import { change } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { QUORUM } from './plans.ts';

const DUTY = 'src/core/sync-duty.ts';
const TERMS = 'src/core/sync-terms.ts';
const PLANNER = 'src/core/quorum.ts';

/** Who has the synchronous commits, and each step between one answer to that and the next. */
export const SYNCHRONOUS_MUTANTS: readonly Mutant[] = [
  {
    name: 'promotes-without-votes',
    rule: 'I5: a takeover does not ask for whom commits have waited',
    changes: [
      change(
        'src/core/sync-votes.ts',
        'if (count.missing === 0) return undefined;',
        'if (count.missing >= 0) return undefined;',
      ),
    ],
    seeds: 15,
    shows: ['D15', 'I5'],
    faults: ['crash-host', 'isolate', 'cut-peers'],
    plan: QUORUM,
  },
  {
    name: 'early-votes-count',
    rule: 'I5: positions of before the end of the lease count as votes',
    changes: [
      change(
        TERMS,
        'return canvass.askedAt - report.lsnAgeMillis * DRIFT >= freeSince;',
        'return true;',
      ),
    ],
    seeds: 100,
    shows: [],
    faults: ['crash-host', 'isolate', 'cut-peers'],
    plan: QUORUM,
    unfound: 'not in the first 25 seeds that were tried',
  },
  {
    name: 'votes-of-those-ahead-count',
    rule: 'I5: who has more of the log votes for who has less',
    changes: [change(TERMS, 'isFinal(one) && !isAhead(one, own)', 'isFinal(one)')],
    seeds: 40,
    shows: ['D15', 'I5'],
    faults: ['crash-host', 'isolate', 'cut-peers'],
    plan: QUORUM,
  },
  {
    name: 'names-shrink-before-consul',
    rule: 'I5: commits stop waiting for a member that may still be promoted',
    changes: [
      change(
        PLANNER,
        'if (overlaps(state.electorate, rule)) return',
        'if (state.electorate.quorum >= 0) return',
      ),
    ],
    seeds: 120,
    shows: ['D16', 'I5'],
  },
  {
    name: 'voter-before-it-has-all',
    rule: 'I5: a standby may be promoted before it has what was acknowledged without it',
    changes: [
      change(
        PLANNER,
        'const decidable = unconfirmed.length === 0 ||',
        'const decidable = unconfirmed.length >= 0 ||',
      ),
    ],
    seeds: 150,
    shows: ['I5'],
    faults: ['crash-host', 'isolate', 'cut-peers'],
    plan: QUORUM,
  },
  {
    name: 'barrier-of-before',
    rule: 'I5: the position to reach is read before the names are known to be in effect',
    changes: [
      change(
        DUTY,
        'seenAt: probe.receivedAt, barrier: undefined };',
        'seenAt: probe.receivedAt, barrier: facts.flushLsn };',
      ),
    ],
    seeds: 100,
    shows: [],
    faults: ['crash-host', 'isolate', 'cut-peers'],
    plan: QUORUM,
    unfound: 'not in the first 25 seeds that were tried',
  },
  {
    name: 'names-not-in-effect',
    rule: 'I5: what Postgres was told counts as in effect',
    changes: [
      change(
        DUTY,
        'if (told?.names === undefined || view.probe === undefined) return false;',
        'if (told?.names !== undefined) return true;\n  if (told?.names === undefined || view.probe === undefined) return false;',
      ),
    ],
    seeds: 100,
    shows: [],
    faults: ['crash-host', 'isolate', 'cut-peers'],
    plan: QUORUM,
    unfound: 'not in the first 25 seeds that were tried',
  },
  {
    name: 'unsettled-key-built-upon',
    rule: 'I5: the next step does not wait for the key of the one before to be settled',
    changes: [
      change(
        DUTY,
        'if (!isKeySettled(view, slot)) return write(view, memory, slot, key, says);',
        '',
      ),
    ],
    seeds: 50,
    shows: ['D16', 'I5'],
  },
  {
    name: 'promotes-before-commits-wait',
    rule: 'I5: the first commits after a promotion wait for nobody',
    changes: [
      change(
        'src/agent/synchronous.ts',
        '    const known = state.sync.told;\n',
        '    if (until > 0) return done;\n    const known = state.sync.told;\n',
      ),
    ],
    seeds: 100,
    shows: [],
    faults: ['crash-host', 'isolate', 'cut-peers'],
    plan: QUORUM,
    unfound: 'not in the first 25 seeds that were tried',
  },
  {
    name: 'takeover-leaves-key-sync',
    rule: 'I5: key sync does not change hands with the lease',
    changes: [
      change(
        'src/agent/takeover.ts',
        "if (sync !== undefined) changes.push({ kind: 'set', entry: { key: 'sync', value: sync } });",
        '',
      ),
    ],
    seeds: 100,
    shows: [],
    faults: ['crash-host', 'isolate', 'cut-peers'],
    plan: QUORUM,
    unfound: 'not in the first 25 seeds that were tried',
  },
  {
    name: 'takeover-misses-a-voter',
    rule: 'I5: a takeover does not check key sync',
    changes: [
      change(
        'src/agent/takeover.ts',
        "['generation', 'lease', 'leader', 'sync', 'failsafe'] as const",
        "['generation', 'lease', 'leader', 'failsafe'] as const",
      ),
    ],
    seeds: 100,
    shows: [],
    faults: ['crash-host', 'isolate', 'cut-peers'],
    plan: QUORUM,
    unfound: 'not in the first 25 seeds that were tried',
  },
  {
    name: 'former-leader-not-a-voter',
    rule: 'I5: the electorate after a takeover forgets the former leader',
    changes: [
      change(
        PLANNER,
        'voters: union(without(before.voters, [winner]), [leader]),',
        'voters: without(before.voters, [winner]),',
      ),
    ],
    seeds: 100,
    shows: [],
    faults: ['crash-host', 'isolate', 'cut-peers'],
    plan: QUORUM,
    unfound: 'not in the first 25 seeds that were tried',
  },
  {
    name: 'one-vote-too-few',
    rule: 'I5: a quorum of votes instead of one more',
    changes: [
      change(
        PLANNER,
        'Math.max(0, electorate.quorum + 1 - counted.length)',
        'Math.max(0, electorate.quorum - counted.length)',
      ),
    ],
    seeds: 15,
    shows: ['D15', 'I5'],
    faults: ['crash-host', 'isolate', 'cut-peers'],
    plan: QUORUM,
  },
  {
    name: 'lost-key-sync-is-none',
    rule: 'I5: a store that has lost key sync is taken for one without synchronous commits',
    changes: [change(TERMS, 'if (hasAmnesia(view)) return rememberedTerms(view, cluster);', '')],
    seeds: 100,
    shows: [],
    faults: ['restore-store', 'wipe-store', 'crash-host'],
    plan: QUORUM,
    unfound: 'not in the first 25 seeds that were tried',
  },
];
