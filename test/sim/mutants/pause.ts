import { change, PROMOTES_UNHEARD } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { DENSE, SPARSE_BEATS } from './plans.ts';

const PAUSE = 'src/core/pause.ts';
const LEASE = 'src/core/lease.ts';
const ARMING = 'src/agent/armed-lease.ts';

/** Maintenance mode: a lease that no time ends, its begin and its end. */
export const PAUSE_MUTANTS: readonly Mutant[] = [
  {
    name: 'takes-over-a-paused-lease',
    rule: 'P15: a lease that says paused is taken over like any other, once it has stood long enough',
    changes: [
      change(
        PAUSE,
        'if (holder !== undefined && !(forced && saysHolderIsDown(view)))',
        "if (holder === '' && !(forced && saysHolderIsDown(view)))",
      ),
    ],
    seeds: 60,
    shows: ['D3', 'P15', 'I2', 'A', 'B'],
    faults: ['pause', 'resume', 'isolate'],
    plan: DENSE,
  },
  {
    name: 'paused-before-confirmed',
    rule: 'P15: the deadline is lifted when the beat that says paused is sent, not when it is confirmed',
    changes: [change(LEASE, '      paused: held.paused && paused,', '      paused,')],
    seeds: 60,
    shows: ['P15', 'I2', 'A', 'B'],
    faults: ['pause', 'isolate', 'one-way-consul'],
    plan: SPARSE_BEATS,
  },
  {
    name: 'resumes-with-the-answer',
    rule: 'P15: the pause ends for its holder when the beat that ends it is confirmed, not when it is sent',
    changes: [
      change(LEASE, '      paused: held.paused && paused,', '      paused: held.paused,'),
      change(
        LEASE,
        'paused: paused && (alive || held.paused),',
        'paused: isPausing(attempt) && (alive || held.paused),',
      ),
    ],
    seeds: 150,
    shows: ['I2', 'A', 'B'],
    faults: ['pause', 'resume', 'isolate', 'one-way-consul'],
    plan: SPARSE_BEATS,
  },
  {
    name: 'resumes-without-arming',
    rule: 'P15: the guardian gets its deadline back with the answer to the beat that ends the pause',
    changes: [
      change(ARMING, '  paused: held.paused,\n', '  paused: held.paused || held.pauseConfirmed,\n'),
    ],
    seeds: 300,
    shows: ['I2', 'A', 'B'],
    faults: ['pause', 'resume', 'pause-agent', 'kill-agent', 'one-way-consul'],
    plan: SPARSE_BEATS,
  },
  {
    name: 'forgets-the-pause',
    rule: 'P15: a store that is restored to before the pause frees whoever reads it',
    changes: [
      change(
        PAUSE,
        'return isOthers || remembersPause(view) ? holderOf(cluster) : undefined;',
        'return saysPaused(lease) ? holderOf(cluster) : undefined;',
      ),
    ],
    seeds: 120,
    shows: [],
    unfound: 'not within 120 seeds: what is shown of it is a store restored again and again',
    faults: ['pause', 'isolate', 'restore-store'],
    plan: DENSE,
  },
  {
    name: 'promotes-under-an-old-pause',
    rule: 'P15: a paused lease is enough to promote under, however long ago Consul confirmed it',
    changes: [
      change(
        'src/core/lease-left.ts',
        'if (held === undefined) return undefined;',
        'if (held === undefined || held.paused) return undefined;',
      ),
      change(
        'src/agent/promotion.ts',
        'plus(state.now(), 2 * heartbeatMillis + fenceBudgetMillis) < current.end;',
        '(current.paused || plus(state.now(), 2 * heartbeatMillis + fenceBudgetMillis) < current.end);',
      ),
      PROMOTES_UNHEARD,
    ],
    seeds: 200,
    shows: ['D2', 'A', 'B'],
    faults: ['pause', 'resume', 'restart', 'isolate', 'crash-postgres'],
    plan: DENSE,
  },
];
