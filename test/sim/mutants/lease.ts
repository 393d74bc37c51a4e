import { change, PROMOTES_UNHEARD } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { DENSE, LONG_LEASES, ON_PROMISES, SHORT_PROMOTIONS, SPARSE_BEATS, TORN } from './plans.ts';

const LEASE = 'src/core/lease.ts';
const OBSERVATION = 'src/core/observation.ts';
const HEARTBEAT = 'src/agent/heartbeat.ts';

/** The holder's chain, time, and the end of a lease. */
export const LEASE_MUTANTS: readonly Mutant[] = [
  {
    name: 'takes-over-at-half-time',
    rule: 'I2: half a ttl is waited for',
    changes: [
      change(
        OBSERVATION,
        'plus(observation.seenAt, waitMillis(ttlMillis))',
        'plus(observation.seenAt, waitMillis(ttlMillis) / 2)',
      ),
    ],
    seeds: 20,
    shows: ['I2', 'A', 'B'],
  },
  {
    name: 'waits-without-margin',
    rule: 'P2: a follower waits for the bare ttl of a holder with another clock',
    changes: [change(LEASE, 'ttlMillis * DRIFT + MARGIN_MILLIS', 'ttlMillis')],
    seeds: 40,
    shows: ['I2'],
    faults: ['isolate'],
    plan: LONG_LEASES,
  },
  {
    name: 'waits-for-its-own-ttl',
    rule: 'P2: the default ttl is waited for, not the one in the record',
    changes: [
      change(
        OBSERVATION,
        'readable ? lease.ttlMillis :',
        'readable ? Math.min(lease.ttlMillis, 3000) :',
      ),
    ],
    seeds: 150,
    shows: ['I2', 'A', 'B'],
  },
  {
    name: 'observes-from-the-request',
    rule: 'P2: the wait counts from when an answer was asked for, not from its receipt',
    changes: [
      change(
        'src/agent/ingest.ts',
        'observeLease(continued(state, record), record, receivedAt, ttlMillis)',
        'observeLease(continued(state, record), record, requestedAt, ttlMillis)',
      ),
    ],
    seeds: 40,
    shows: ['I2'],
    faults: ['isolate'],
    plan: SPARSE_BEATS,
  },
  {
    name: 'observes-from-the-last-answer',
    rule: 'P2: the wait counts from the newest answer, not from the first that showed the record',
    changes: [
      change(
        OBSERVATION,
        'moved ? receivedAt : before.seenAt;\n  const releasedAt',
        'receivedAt;\n  const releasedAt',
      ),
    ],
    seeds: 40,
    shows: ['L'],
  },
  {
    name: 'beat-counts-from-the-reply',
    rule: 'P2: the lease is extended from the reply instead of the request',
    changes: [
      change(
        LEASE,
        'renewal(held, attempt.sentAt, plus(attempt.sentAt, attempt.ttlMillis))',
        'renewal(held, now, plus(now, attempt.ttlMillis))',
      ),
    ],
    seeds: 120,
    shows: ['I2'],
    faults: ['slow-replies', 'isolate'],
    plan: SPARSE_BEATS,
  },
  {
    name: 'takeover-counts-from-the-reply',
    rule: 'P2: a lease that was won counts from the reply',
    changes: [
      change(
        'src/agent/takeover.ts',
        'winLease(id, n, attempt.sentAt, attempt.ttlMillis, indexes)',
        'winLease(id, n, state.now(), attempt.ttlMillis, indexes)',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['slow-replies', 'one-way-consul', 'isolate'],
    plan: SPARSE_BEATS,
  },
  {
    name: 'shorter-ttl-binds-late',
    rule: 'P2: a shorter ttl binds only when it is acknowledged',
    changes: [
      change(
        LEASE,
        'held.paused && !paused ? bound : earlier(held.end, bound);',
        'held.paused && !paused ? bound : held.end;',
      ),
    ],
    seeds: 120,
    shows: ['I2'],
    faults: ['change-config', 'isolate'],
    plan: SPARSE_BEATS,
  },
  {
    name: 'promises-revive',
    rule: 'P3: promises revive a lapsed lease',
    changes: [
      change(
        'src/core/failsafe.ts',
        'if (!isValid(held, now) || held.lapses === true) return held;',
        'if (held.release !== undefined || held.lapses === true) return held;',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['cut-consul', 'cut-peers', 'isolate', 'pause-agent'],
    plan: ON_PROMISES,
  },
  {
    name: 'beats-off-the-chain',
    rule: 'P1: a beat does not check the one before',
    changes: [
      change(
        'src/agent/beat.ts',
        "      { kind: 'index', key: 'lease', index: held.leaseIndex ?? 0 },\n",
        '',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['slow-replies', 'lossy-consul', 'isolate', 'switchover'],
    plan: DENSE,
  },
  {
    name: 'beat-number-twice',
    rule: 'P1: what was not acknowledged is sent again under the same number',
    changes: [
      change(LEASE, 'const beat = held.beat + 1;', 'const beat = held.confirmedBeat + 1;'),
      change(
        LEASE,
        'const sent = [...held.sent, { beat, sentAt: now, ttlMillis, reachMillis, paused }];',
        'const sent = [{ beat, sentAt: now, ttlMillis, reachMillis, paused }];',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['one-way-consul', 'slow-replies', 'isolate'],
    plan: DENSE,
  },
  {
    name: 'unanswered-release-forgotten',
    rule: 'P1: an unanswered release is taken for one that was not done',
    changes: [
      change(
        HEARTBEAT,
        '    // Refused: a beat of ours moved the chain, or it is done already. Unknown: only a read tells.\n    this.#hold({ ...held, leaseIndex: undefined });',
        '    this.#hold({ ...held, release: undefined, leaseIndex: undefined });',
      ),
      // Nor does the guardian know that it is over.
      change(
        HEARTBEAT,
        'await this.#arming.end(id);',
        'await this.#state.ports.guardian.disarm();',
      ),
    ],
    seeds: 300,
    shows: ['I2'],
    faults: ['switchover', 'switchover', 'lossy-consul'],
    plan: TORN,
  },
  {
    name: 'acts-after-its-release',
    rule: 'P1: the releaser goes on under the lease that it gave away',
    changes: [
      change(LEASE, '!isOver(held, now) && held.release === undefined;', '!isOver(held, now);'),
      change(
        'src/core/rules/150-releasing.ts',
        'if (view.held?.release === undefined) return undefined;',
        'if (view.held !== null) return undefined;',
      ),
    ],
    seeds: 30,
    shows: ['I2', 'A', 'B'],
    faults: ['switchover', 'lossy-consul'],
    plan: DENSE,
  },
  {
    name: 'releases-while-it-runs',
    rule: 'I2: the lease is given away before Postgres is down',
    changes: [
      change(
        'src/core/rules/320-leader-promotes.ts',
        "      { kind: 'fence', cause: 'promotion-failed' },\n",
        '',
      ),
    ],
    seeds: 20,
    shows: ['D8'],
    faults: ['slow-promotion', 'isolate', 'switchover'],
    plan: SHORT_PROMOTIONS,
  },
  {
    name: 'lapse-without-demotion',
    rule: 'I3: Postgres is left running as a primary when the lease is lost',
    changes: [
      change(
        'src/core/rules/110-no-valid-lease.ts',
        'if (holdsLease(view)) return undefined;',
        'if (view.held === undefined || holdsLease(view)) return undefined;',
      ),
    ],
    seeds: 40,
    shows: ['D1'],
  },
  {
    name: 'another-rule-before-busy',
    rule: 'SPEC, rules: a leader whose Postgres is down is seen to before jobs are',
    changes: [
      change('src/core/decide.ts', '  busy,\n  unknownYet,', '  unknownYet,'),
      change('src/core/decide.ts', '  leaderDown,\n', '  leaderDown,\n  busy,\n'),
    ],
    seeds: 10,
    shows: ['D9'],
  },
  {
    name: 'promotes-under-any-lease',
    rule: 'P7: nobody looks whether the lease outlasts the promotion',
    changes: [
      change(
        'src/core/lease-left.ts',
        'if (left >= 2 * heartbeatMillis + fenceBudgetMillis) return undefined;',
        'if (left >= 0) return undefined;',
      ),
      PROMOTES_UNHEARD,
    ],
    seeds: 40,
    shows: ['D2'],
    faults: ['lossy-consul', 'bad-weather', 'crash-host'],
    plan: DENSE,
  },
  {
    name: 'adopts-by-name',
    rule: 'P6: whoever is named in the generation takes the lease for its own',
    changes: [
      change(
        'src/agent/agent.ts',
        '    this.#synchronous.keepStandby();\n',
        `    this.#synchronous.keepStandby();
    const named = state.cluster?.value.generation;
    const { member, policy } = state.ports.settings.current();
    if (state.held === undefined && state.takeover === undefined && named?.kind === 'present' && named.value.holder === member.name)
      this.#heartbeat.adopt({ leaseId: named.value.id, n: named.value.n, deadline: state.now() + policy.timing.ttlMillis as never, ttlMillis: policy.timing.ttlMillis, fenceBudgetMillis: policy.timing.fenceBudgetMillis, failsafe: [] });
`,
      ),
    ],
    seeds: 100,
    shows: ['I2', 'I5', 'A', 'B', 'L'],
  },
  {
    name: 'new-deadline-at-restart',
    rule: 'P6: a restarted agent starts a new deadline instead of continuing the old one',
    changes: [
      change(
        HEARTBEAT,
        'adoptLease(leaseId, n, deadline, ttlMillis,',
        'adoptLease(leaseId, n, plus(this.#state.now(), ttlMillis), ttlMillis,',
      ),
    ],
    seeds: 80,
    shows: ['I2'],
    faults: ['kill-agent', 'isolate', 'isolate'],
    plan: SPARSE_BEATS,
  },
  {
    name: 'adopts-a-released-lease',
    rule: 'P1: the guardian is not told of a release, and the next agent adopts what it finds',
    changes: [
      change(HEARTBEAT, 'await this.#arming.end(id);', ''),
      change(
        'src/agent/agent.ts',
        "if (postmaster.kind === 'up' && (armed.paused === true || leftMillis > 0)) {",
        'if (armed.paused === true || leftMillis > 0) {',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['kill-agent', 'switchover', 'switchover', 'stop-agent'],
    plan: DENSE,
  },
];
