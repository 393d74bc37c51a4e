import { change } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import {
  CALM,
  CRIPPLED,
  DENSE,
  FROM_THE_START,
  LITTLE_LAG,
  ON_PROMISES,
  PAIR,
  PATRONI,
  TAGGED,
} from './plans.ts';

const RULES = 'src/core/takeover.ts';
const SHELL = 'src/agent/takeover.ts';
const CHECKED = "['generation', 'lease', 'leader', 'sync', 'failsafe'] as const";

/** Who may take over, when, and in which transaction. */
export const TAKEOVER_MUTANTS: readonly Mutant[] = [
  {
    name: 'trusts-a-missing-leader-key',
    rule: 'P9: a missing key leader is taken for a lease that is over',
    changes: [
      change(
        'src/core/observation.ts',
        '  return plus(observation.seenAt, waitMillis(ttlMillis));',
        "  if (record.leader.kind === 'absent') return observation.seenAt;\n  return plus(observation.seenAt, waitMillis(ttlMillis));",
      ),
    ],
    seeds: 15,
    shows: ['I2'],
    faults: ['isolate', 'destroy-session', 'delete-leader-key'],
    plan: DENSE,
  },
  {
    name: 'takeover-misses-a-beat',
    rule: 'I2: a takeover does not check that no heartbeat has slipped in',
    changes: [change(SHELL, CHECKED, "['generation', 'leader', 'sync', 'failsafe'] as const")],
    seeds: 30,
    shows: ['I2'],
    faults: ['lagging-watches', 'lossy-consul', 'isolate'],
    plan: DENSE,
  },
  {
    name: 'takeover-misses-a-generation',
    rule: 'I1: a takeover checks neither generation nor lease',
    changes: [change(SHELL, CHECKED, "['leader', 'sync', 'failsafe'] as const")],
    seeds: 30,
    shows: ['I2'],
    faults: ['isolate', 'crash-host', 'bad-weather'],
    plan: DENSE,
  },
  {
    name: 'unanswered-takeover-forgotten',
    rule: 'P1: a request for the lease without an answer is taken for one that was not done',
    changes: [
      change(
        SHELL,
        '          reason: answer.failure.message,\n        });\n        await this.#settle(attempt);',
        '          reason: answer.failure.message,\n        });\n        this.#clear();\n        await this.#read();',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['one-way-consul', 'slow-replies', 'crash-host', 'lossy-consul'],
    plan: DENSE,
  },
  {
    name: 'floor-ignored',
    rule: 'P8: the next generation is above that of Consul, and not above those seen before',
    changes: [
      change(
        RULES,
        'Math.max(valueOf(cluster.generation)?.n ?? 0, view.host.floor.n) + 1',
        '(valueOf(cluster.generation)?.n ?? 0) + 1',
      ),
    ],
    seeds: 150,
    shows: ['D5'],
    faults: ['restore-store', 'restore-store', 'crash-host'],
    plan: PAIR,
  },
  {
    name: 'floor-not-kept',
    rule: 'P8: the highest generation seen is not written down',
    changes: [
      change(
        'src/agent/host-memory.ts',
        '(n > host.floor.n ? { ...host, floor: { n, id } } : host)',
        '(n > host.floor.n && id === null ? { ...host, floor: { n, id } } : host)',
      ),
    ],
    seeds: 300,
    shows: ['B', 'A'],
    faults: ['restore-store', 'restore-store', 'crash-host', 'kill-agent'],
    plan: DENSE,
  },
  {
    name: 'peers-not-heard',
    rule: 'P8: what the others know of a newer leader is not asked for',
    changes: [
      change(
        RULES,
        'const objection = objectionOf(view, canvass, cluster, ground.n);',
        'const objection = undefined as TakeoverVerdict | undefined;',
      ),
    ],
    seeds: 100,
    shows: [],
    faults: ['restore-store', 'isolate', 'crash-host'],
    plan: PAIR,
    unfound: 'not in the first 25 seeds that were tried',
  },
  {
    name: 'amnesia-trusts-the-record',
    rule: 'P8: a release, or an own lapsed lease, of a restored store counts',
    changes: [
      change(
        RULES,
        'const outdated = amnesia || observation.overtaken;',
        'const outdated = observation.overtaken;',
      ),
    ],
    seeds: 60,
    shows: ['D3'],
    faults: ['restore-store', 'restore-store', 'switchover', 'crash-host'],
    plan: PAIR,
  },
  {
    name: 'amnesiac-beats-extend',
    rule: 'P8: heartbeats into a store that lost its past extend the lease at once',
    changes: [
      change(
        'src/core/lease.ts',
        'const alive = !isOver(held, now) && !held.amnesia;',
        'const alive = !isOver(held, now);',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['restore-store', 'wipe-store', 'isolate', 'cut-consul'],
    plan: ON_PROMISES,
  },
  {
    name: 'amnesia-heals-by-itself',
    rule: 'P8: the record that was written back counts before all members have seen it',
    changes: [
      change(
        'src/agent/failsafe.ts',
        'voters.every((name) => this.#vouched.has(name));',
        'voters.length >= 0;',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['restore-store', 'wipe-store', 'isolate', 'cut-consul'],
    plan: ON_PROMISES,
  },
  {
    name: 'store-that-goes-back-ignored',
    rule: 'P8: an index that goes back is taken for an old answer for ever',
    changes: [
      change(
        'src/agent/ingest.ts',
        'if (last !== undefined && requestedAt < last.at && index < last.index)',
        'if (last !== undefined && index < last.index)',
      ),
    ],
    seeds: 30,
    shows: ['L'],
    faults: ['restore-store', 'wipe-store'],
    plan: DENSE,
  },
  {
    name: 'index-reset-forgotten',
    rule: 'design 2: a watch goes on from an index that the store does not have any more',
    changes: [
      change('src/agent/watcher.ts', '        index = 0;\n', ''),
      change(
        'src/agent/watcher.ts',
        'index = answer.index;',
        'index = Math.max(index, answer.index);',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['restore-store', 'wipe-store', 'consul-leaderless'],
    plan: DENSE,
  },
  {
    name: 'gap-not-noticed',
    rule: 'P8: what was missing before a gap is taken to have been missing all the time',
    changes: [change('src/agent/watcher.ts', '        this.#state.storeGap = true;\n', '')],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['restore-store', 'wipe-store', 'cut-consul'],
    plan: DENSE,
  },
  {
    name: 'own-lapsed-lease-of-another',
    rule: 'P3: any lease is taken for the own lapsed one',
    changes: [change(RULES, 'isOwn(view.lapsedId, cluster)', 'view.lapsedId !== undefined')],
    seeds: 15,
    shows: ['D3'],
    faults: ['isolate', 'crash-host'],
    plan: DENSE,
  },
  {
    name: 'positions-of-before',
    rule: 'I6: answers of before the end of the lease decide who goes first',
    changes: [change(RULES, '  canvass.askedAt >= freeSince &&\n', '')],
    seeds: 100,
    shows: [],
    faults: ['cut-peers', 'crash-host'],
    plan: CALM,
    unfound: 'not in the first 25 seeds that were tried',
  },
  {
    name: 'laggard-goes-first',
    rule: 'I6: nobody is let go first',
    changes: [
      change(
        RULES,
        'if (other === undefined) return undefined;',
        'if (other !== null) return undefined;',
      ),
    ],
    seeds: 20,
    shows: ['I6'],
    faults: ['cut-peers', 'crash-host'],
    plan: CALM,
  },
  {
    name: 'lag-limit-ignored',
    rule: 'I6: maximum_lag_on_failover is ignored',
    changes: [
      change(
        'src/core/candidates.ts',
        'const bounded = !forced && ',
        'const bounded = view.now < 0 && ',
      ),
    ],
    seeds: 40,
    shows: ['I6'],
    faults: ['isolate', 'cut-peers', 'crash-host'],
    plan: LITTLE_LAG,
  },
  {
    name: 'nofailover-ignored',
    rule: 'I6: a member that must not lead takes over',
    changes: [
      change(
        'src/core/candidates.ts',
        'if (!forced && (tags.nofailover || tags.failoverPriority <= 0))',
        'if (view.now < 0)',
      ),
    ],
    seeds: 20,
    shows: ['I6'],
    faults: ['crash-host', 'isolate'],
    plan: TAGGED,
  },
  {
    name: 'winner-that-fails-stays',
    rule: 'P12: a winner that cannot promote keeps the lease',
    changes: [
      change('src/agent/promotion.ts', 'if (state.now() > until)\n', 'if (state.now() < 0)\n'),
    ],
    seeds: 80,
    shows: ['L'],
    faults: [],
    plan: CRIPPLED,
  },
  {
    name: 'failed-winner-wins-again',
    rule: 'P12: who could not promote does not step behind the others',
    changes: [
      change(
        RULES,
        'if (memory.abstain !== undefined && view.now < memory.abstain.until) {',
        'if (view.now < 0) {',
      ),
      change(RULES, 'if (excludedNow(view).includes(view.self)) {', 'if (view.now < 0) {'),
    ],
    seeds: 400,
    shows: ['L'],
    faults: [],
    plan: CRIPPLED,
  },
  {
    name: 'founds-at-once',
    rule: 'P11: the emptiness is not observed before a cluster is founded',
    changes: [
      change(
        'src/core/rules/420-bootstrap.ts',
        'if (leaseIsOver(view) && view.now >= free) return undefined;',
        'if (view.now >= 0) return undefined;',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['lossy-consul', 'bad-weather'],
    plan: FROM_THE_START,
  },
  {
    name: 'founds-unasked',
    rule: 'P11: nobody is asked before a cluster is founded',
    changes: [
      change(
        'src/core/rules/420-bootstrap.ts',
        '      asking(view, cluster, observation) ??\n',
        '',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['lossy-consul', 'wipe-store', 'crash-host'],
    plan: FROM_THE_START,
  },
  {
    name: 'founds-without-the-lease',
    rule: 'P11: data are initialised before the lease is held',
    changes: [
      change(
        'src/core/rules/420-bootstrap.ts',
        "actions: [{ kind: 'takeover', n, basis: 'bootstrap' }],",
        "actions: [{ kind: n > 0 ? 'initialise' : 'canvass' }],",
      ),
    ],
    seeds: 10,
    shows: ['D10'],
    faults: [],
    plan: FROM_THE_START,
  },
  {
    name: 'key-taken-from-patroni',
    rule: 'P9: the holder of the lease takes key leader from another that has it',
    changes: [
      change(
        'src/agent/heartbeat.ts',
        "if (this.#leaderKey.kind === 'another' && held.release === undefined) {",
        "if (this.#leaderKey.kind === 'another' && this.#state.now() < 0) {",
      ),
    ],
    seeds: 10,
    shows: ['I2'],
    faults: ['foreign-leader'],
    plan: PATRONI,
  },
  {
    name: 'patroni-bars-nobody',
    rule: 'P9: a takeover does not mind that key leader names a stranger',
    changes: [
      change(
        RULES,
        'if (key === undefined || key.member === view.self) return undefined;',
        'if (key === undefined || view.now > 0) return undefined;',
      ),
    ],
    seeds: 10,
    shows: ['D3', 'I2'],
    faults: ['foreign-leader'],
    plan: PATRONI,
  },
  {
    name: 'patroni-is-not-waited-for',
    rule: "P9: Patroni's key that has vanished is not waited for",
    changes: [
      change(
        'src/core/observation.ts',
        'const leaderIndex = isStrangers(record) ? indexOf(record.leader) : 0;',
        'const leaderIndex = isStrangers(record) ? 0 : 0;',
      ),
    ],
    seeds: 10,
    shows: ['I2'],
    faults: ['foreign-leader'],
    plan: PATRONI,
  },
];
