import { change } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { DENSE, REWINDING, TORN } from './plans.ts';

const CANDIDATES = 'src/core/candidates.ts';
const REJOIN = 'src/core/rejoin.ts';
const FOLLOW = 'src/core/rules/530-follow.ts';

/** Timelines, divergence, and data directories that are half made. */
export const HISTORY_MUTANTS: readonly Mutant[] = [
  {
    name: 'lineage-not-checked',
    rule: 'I7: a timeline of the same number is taken for the same, at a takeover',
    changes: [
      change(
        CANDIDATES,
        'strayPromotion(view.host, generation, timeline) ??\n    strayReceived(view.host, generation, timeline);',
        '(undefined as string | undefined);',
      ),
    ],
    seeds: 150,
    shows: ['E'],
    faults: ['crash-host', 'isolate', 'pause-host'],
    plan: TORN,
  },
  {
    name: 'older-timeline-takes-over',
    rule: 'I7: a member that never followed the last leader takes over',
    changes: [
      change(CANDIDATES, 'if (timeline < promoted.timeline) return', 'if (timeline < 0) return'),
    ],
    seeds: 100,
    shows: [],
    faults: ['crash-host', 'cut-peers', 'cut-peers', 'isolate'],
    plan: DENSE,
    unfound: 'not in the first 25 seeds that were tried',
  },
  {
    name: 'rewinds-a-twin',
    rule: 'I7: two promotions with one number are taken for one, at a rejoin',
    changes: [
      change(
        REJOIN,
        'if (twin !== undefined) return onDivergence',
        'if (twin === null) return onDivergence',
      ),
    ],
    seeds: 40,
    shows: ['E'],
    faults: ['crash-host', 'isolate', 'pause-host'],
    plan: TORN,
  },
  {
    name: 'rewinds-an-older-twin',
    rule: 'I7: two older timelines with one number are taken for one, at a rejoin',
    changes: [
      change(
        REJOIN,
        'if (older !== undefined) return onDivergence',
        'if (older === null) return onDivergence',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['crash-host', 'isolate', 'pause-host'],
    plan: TORN,
  },
  {
    name: 'follows-a-twin',
    rule: 'I7: a running standby follows another promotion of the same number',
    changes: [
      change(
        FOLLOW,
        'if (stray !== undefined) {\n    return `',
        'if (stray === null) {\n    return `',
      ),
      change(FOLLOW, 'if (received !== undefined) {', 'if (received === null) {'),
    ],
    seeds: 40,
    shows: ['E'],
    faults: ['crash-host', 'isolate', 'pause-host'],
    plan: TORN,
  },
  {
    name: 'divergence-not-seen',
    rule: 'I7: log that goes past the point where the leader left it is kept',
    changes: [change('src/core/timeline.ts', 'return endLsn > left ?', 'return endLsn < 0n ?')],
    seeds: 80,
    shows: ['E', 'L'],
  },
  {
    name: 'starts-what-is-half-made',
    rule: 'I7: a directory that a rewind or a clone left half-made is started',
    changes: [
      change(
        'src/core/rules/510-clone.ts',
        "if (directory.kind === 'absent' || directory.kind === 'unfinished') return true;",
        "if (directory.kind === 'absent') return true;",
      ),
      change(
        'src/core/rules/520-rejoin.ts',
        "if (holdsLease(view) || role(view) !== 'down' || own === undefined) return undefined;",
        "if (holdsLease(view) || role(view) !== 'down') return undefined;\n    if (own === undefined && view.directory?.value.kind === 'unfinished')\n      return startAlone(view, 'it was half made');\n    if (own === undefined) return undefined;",
      ),
      change(
        'test/sim/postgres-port.ts',
        "          return fail('postgres-data-unfinished', `the directory is ${host.disk.kind}`);\n        host.disk = {",
        "          return ok({ executable: 'postgres', args: [], env: {}, dataDir: '/data', logFile: '/log' });\n        host.disk = {",
      ),
    ],
    seeds: 20,
    shows: ['D'],
    faults: ['failing-jobs', 'isolate', 'cut-peers'],
    plan: REWINDING,
  },
  {
    name: 'starts-read-write',
    rule: 'I4: the server of a leader is started without standby.signal',
    changes: [
      change(
        'test/sim/postgres-port.ts',
        'host.disk = { ...host.disk, standbySignal: true };\n        aim(target);',
        'host.disk = { ...host.disk, standbySignal: !target.leading };\n        aim(target);',
      ),
    ],
    seeds: 10,
    shows: ['I4'],
  },
  {
    name: 'replaces-what-runs',
    rule: 'I7: data are replaced under a running server',
    changes: [
      change(
        'src/core/rules/510-clone.ts',
        "if (role(view) !== 'down') {",
        "if (role(view) === 'foreign') {",
      ),
    ],
    seeds: 15,
    shows: ['D6'],
    faults: ['reinitialize', 'crash-host'],
    plan: DENSE,
  },
];
