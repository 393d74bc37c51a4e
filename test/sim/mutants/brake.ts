import { change } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { DENSE } from './plans.ts';

const CORE = 'src/core/brake.ts';
const AGENT = 'src/agent/brake.ts';

/** What a primary acknowledges that nobody hears, and what it goes on to hold afterwards. */
export const BRAKE_MUTANTS: readonly Mutant[] = [
  {
    name: 'brake-never',
    rule: 'I9: a primary that nobody hears acknowledges until it is fenced',
    changes: [
      change(
        CORE,
        "if (now >= brakeDueAt(held, facts.heartbeatMillis)) return 'hold';",
        "if (now < 0) return 'hold';",
      ),
    ],
    seeds: 20,
    shows: ['I9'],
  },
  {
    name: 'brake-counts-unseen',
    rule: 'I9: the brake is taken for on without having been seen to bite',
    changes: [
      change(
        AGENT,
        "else if (hold.kind === 'unseen') await this.#freeze(pid, hold.why);",
        "else if (hold.kind === 'unseen') this.#note('held', hold.why, undefined);",
      ),
    ],
    seeds: 40,
    shows: ['I9'],
    faults: ['isolate', 'cut-consul', 'crash-host'],
    plan: DENSE,
  },
  {
    name: 'brake-trusts-late-answers',
    rule: 'I9: a heartbeat renews from its answer, not from when it was sent',
    changes: [
      change(
        'src/core/lease.ts',
        'renewal(held, attempt.sentAt, plus(attempt.sentAt, attempt.ttlMillis))',
        'renewal(held, now, plus(attempt.sentAt, attempt.ttlMillis))',
      ),
    ],
    seeds: 40,
    shows: ['I9'],
    faults: ['slow-replies', 'isolate'],
    plan: DENSE,
  },
];
