import { change } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { LASTING_ON_PROMISES, ON_PROMISES, ON_PROMISES_OF_FIVE } from './plans.ts';

const REACH = 'src/core/reach.ts';
const BALLOT = 'src/core/ballot.ts';

/** Promises of most, which carry a lease for a while, and who goes by them. */
export const REACH_MUTANTS: readonly Mutant[] = [
  {
    name: 'goes-alone-at-the-ttl',
    rule: 'P17: who hears from nobody waits for the ttl alone',
    changes: [
      change(
        REACH,
        'const over = later(leaseOverAt(observation, record, hasLostGenerations(view, record)), observed);',
        'const over = observed < 0 ? observed : leaseOverAt(observation, record, hasLostGenerations(view, record));',
      ),
      change(REACH, 'later(over, view.promised.aloneUntil)', 'over'),
    ],
    seeds: 200,
    shows: ['I2'],
    faults: ['cut-consul', 'isolate', 'cut-peers'],
    plan: ON_PROMISES,
  },
  {
    name: 'believes-a-restored-beat',
    rule: 'P17: the reach and the list of a restored record are believed, whatever has been read before',
    changes: [
      change(
        REACH,
        'return hasLostGenerations(known, record) || isOlder;',
        'return hasLostGenerations(known, record) || (isOlder && record === undefined);',
      ),
    ],
    seeds: 60,
    shows: [],
    unfound:
      'the simulator does not judge I2 after a restore; test/scenarios/restored-to-a-pair.txt shows it',
    faults: ['restore-store', 'cut-consul', 'isolate'],
    plan: ON_PROMISES,
  },
  {
    name: 'goes-alone-after-its-promise',
    rule: 'P17: who has promised waits for the record alone',
    changes: [change(REACH, 'later(over, view.promised.aloneUntil)', 'over')],
    seeds: 60,
    shows: [],
    unfound: 'not in these seeds; test/core/properties/lease.test.ts finds it',
    faults: ['consul-leaderless', 'isolate', 'cut-peers'],
    plan: LASTING_ON_PROMISES,
  },
  {
    name: 'takes-silence-for-freedom',
    rule: 'P17: who does not answer, or is bound, counts as free of promises',
    changes: [change(REACH, '(report?.promiseFreeMillis ?? -1) >= tookMillis', 'report !== null')],
    seeds: 300,
    shows: ['I2'],
    faults: ['consul-leaderless', 'isolate', 'cut-peers', 'cut-consul'],
    plan: LASTING_ON_PROMISES,
  },
  {
    name: 'a-few-promises-suffice',
    rule: 'P17: promises of less than half of the members carry the lease',
    changes: [
      change(
        BALLOT,
        'return 2 * names.filter((name) => agreed.has(name)).length > names.length;',
        'return names.some((name) => agreed.has(name));',
      ),
    ],
    seeds: 60,
    shows: [],
    unfound: 'not in these seeds; test/core/properties/lease.test.ts finds it',
    faults: ['cut-consul', 'isolate', 'cut-peers'],
    plan: ON_PROMISES_OF_FIVE,
  },
  {
    name: 'stretches-past-the-reach',
    rule: 'P17: promises of most carry the lease without an end',
    changes: [
      change(
        BALLOT,
        '.reduce((soonest, alone) => soonest && alone && earlier(soonest, alone), end);',
        '.reduce((soonest, alone) => (alone === undefined ? soonest : later(soonest, soonest)), end);',
      ),
    ],
    seeds: 400,
    shows: ['I2'],
    faults: ['consul-leaderless', 'isolate', 'cut-peers', 'cut-consul'],
    plan: LASTING_ON_PROMISES,
  },
  {
    name: 'free-of-forgotten-promises',
    rule: 'P17: a new process says that it is free, though it has forgotten what the one before promised',
    changes: [
      change(
        REACH,
        'const forgotten = plus(view.startedAt, waitMillis(view.observation.largestTtlMillis));',
        'const forgotten = view.startedAt;',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in these seeds; test/core/reach.test.ts finds it',
    faults: ['kill-agent', 'cut-consul', 'isolate'],
    plan: LASTING_ON_PROMISES,
  },
  {
    name: 'reach-counts-when-sent',
    rule: 'P17: a longer reach counts before it is confirmed',
    changes: [
      change(
        'src/core/lease.ts',
        'reachMillis: shorterReach(held.reachMillis, reachMillis),',
        'reachMillis: shorterReach(reachMillis, reachMillis),',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in these seeds; test/core/properties/lease.test.ts finds it',
    faults: ['add-member', 'isolate', 'cut-consul', 'crash-host'],
    plan: LASTING_ON_PROMISES,
  },
];
