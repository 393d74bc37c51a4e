import { change } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { LONG_PROMISES, ON_PROMISES } from './plans.ts';

const PROMISE = 'src/core/promise.ts';
const FAILSAFE = 'src/core/failsafe.ts';
const REACH = 'src/core/reach.ts';
const SHELL = 'src/agent/failsafe.ts';
const TAKEOVER = 'src/core/takeover.ts';

/** Nor is a promise heeded by those rules that hide such a bug otherwise. */
const UNAWARE = [
  change(REACH, 'later(over, view.promised.aloneUntil)', 'over'),
  change(REACH, '(view.promised?.until ?? -Infinity) <= canvass.askedAt', 'canvass.askedAt > 0'),
  change(REACH, 'later(forgotten, view.promised?.until ?? forgotten)', 'forgotten'),
];

/** Promises that carry a lease while Consul is away, and the list of who has to make them. */
export const PROMISE_MUTANTS: readonly Mutant[] = [
  {
    name: 'promise-without-margin',
    rule: 'P4: a promise lasts for the bare ttl',
    changes: [
      change(
        PROMISE,
        'const until = plus(facts.now, waitMillis(asked.ttlMillis));',
        'const until = plus(facts.now, asked.ttlMillis);',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['cut-consul', 'isolate'],
    plan: LONG_PROMISES,
  },
  {
    name: 'promise-for-half-the-time',
    rule: 'P4: a promise lasts for half a ttl',
    changes: [
      change(
        PROMISE,
        'const until = plus(facts.now, waitMillis(asked.ttlMillis));',
        'const until = plus(facts.now, asked.ttlMillis / 2);',
      ),
    ],
    seeds: 30,
    shows: ['I2'],
    faults: ['cut-consul', 'cut-peers', 'isolate'],
    plan: ON_PROMISES,
  },
  {
    name: 'promise-counts-from-the-answer',
    rule: 'P4: a promise counts from its answer, not from the request',
    changes: [
      change(
        SHELL,
        'const boundUntil = plus(sentAt, request.ttlMillis);',
        'const boundUntil = plus(this.#state.now(), request.ttlMillis);',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['cut-consul', 'bad-weather', 'cut-peers', 'isolate'],
    plan: ON_PROMISES,
  },
  {
    name: 'promise-asked-for-too-long',
    rule: 'P4: promises are asked for the ttl in force, whatever the record says',
    changes: [change(FAILSAFE, '    ...held.sent.map((sent) => sent.ttlMillis),\n', '')],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['change-config', 'cut-consul', 'isolate'],
    plan: ON_PROMISES,
  },
  {
    name: 'promise-does-not-bind',
    rule: 'P4: a promise does not keep from taking over',
    changes: [
      change(TAKEOVER, 'if (isBound(view.promised, cluster, view.now)) {', 'if (view.now < 0) {'),
      ...UNAWARE,
    ],
    seeds: 30,
    shows: ['I2'],
    faults: ['cut-consul', 'cut-peers', 'isolate'],
    plan: ON_PROMISES,
  },
  {
    name: 'promotes-against-its-promise',
    rule: 'P4: a promise does not keep from promoting',
    changes: [
      change(
        'src/agent/promotion.ts',
        'isBound(state.promised, state.cluster?.value, state.now()) &&',
        'state.now() < 0 &&',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['cut-consul', 'cut-peers', 'lossy-consul'],
    plan: ON_PROMISES,
  },
  {
    name: 'promises-during-a-takeover',
    rule: 'P4: a promise is given while an own takeover is not settled',
    changes: [
      change(
        PROMISE,
        "  if (facts.takeoverUnresolved) return refused('an own takeover is not settled');\n",
        '',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['consul-leaderless', 'cut-consul', 'lossy-consul', 'cut-peers'],
    plan: ON_PROMISES,
  },
  {
    name: 'promises-right-after-its-start',
    rule: 'P4: a new process promises though it has forgotten what the one before asked for',
    changes: [
      change(
        PROMISE,
        'if (facts.now < plus(facts.startedAt, waitMillis(asked.ttlMillis))) {',
        'if (facts.now < 0) {',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['kill-agent', 'cut-consul', 'isolate'],
    plan: ON_PROMISES,
  },
  {
    name: 'promises-to-a-former-leader',
    rule: 'P4: a promise is given for an older generation than has been seen',
    changes: [
      change(PROMISE, 'if (facts.floor.n > asked.n) return', 'if (facts.floor.n < 0) return'),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['cut-consul', 'isolate', 'pause-agent'],
    plan: ON_PROMISES,
  },
  {
    name: 'most-promises-suffice',
    rule: 'P4: a voter that does not answer is left out',
    changes: [
      change(
        FAILSAFE,
        'if (until === undefined) return undefined;',
        'if (until === undefined) continue;',
      ),
    ],
    seeds: 30,
    shows: ['I2'],
    faults: ['cut-consul', 'isolate', 'cut-peers'],
    plan: ON_PROMISES,
  },
  {
    name: 'union-not-asked',
    rule: 'P5: only those on the confirmed list are asked',
    changes: [change(FAILSAFE, '  ...sent,\n];', '];')],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['add-member', 'lossy-consul', 'cut-consul', 'isolate'],
    plan: ON_PROMISES,
  },
  {
    name: 'list-beside-the-beat',
    rule: 'P5: the list is written beside the heartbeat',
    changes: [
      change('src/agent/beat.ts', '    ...content.failsafe,\n', ''),
      change(
        'src/agent/heartbeat.ts',
        '    const answer = await state.ports.store.commit(\n      buildBeat(state, held, content),',
        '    if (failsafe.changes.length > 0)\n      void state.ports.store.commit({ guards: [], changes: failsafe.changes }, 2000);\n    const answer = await state.ports.store.commit(\n      buildBeat(state, held, content),',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['add-member', 'lossy-consul', 'cut-consul', 'isolate'],
    plan: ON_PROMISES,
  },
  {
    name: 'list-without-its-holder',
    rule: 'P5: the holder is not on the list',
    changes: [
      change(FAILSAFE, '  wanted[self.name] = self.apiUrl;\n', '  delete wanted[self.name];\n'),
    ],
    seeds: 320,
    shows: ['L'],
    unfound: 'not within 1500 seeds since a lease is asked for only where Consul answers',
    faults: ['switchover', 'isolate'],
    plan: ON_PROMISES,
  },
  {
    name: 'unlisted-takes-over',
    rule: 'P5: who was never asked for a promise takes over',
    changes: [
      change(
        TAKEOVER,
        'if (Object.keys(listed).length === 0) return anotherMachine(view, cluster);',
        'if (cluster.members.length >= 0) return undefined;',
      ),
    ],
    seeds: 150,
    shows: ['I2'],
    faults: ['add-member', 'cut-consul', 'isolate'],
    plan: ON_PROMISES,
  },
  {
    name: 'freed-before-the-fence',
    rule: 'P3: who promised is freed before Postgres is down',
    changes: [
      change(
        'src/agent/heartbeat.ts',
        'if (await this.#fencing.stopWritable(held.id)) this.failsafe.withdraw(held.id);',
        'this.failsafe.withdraw(held.id);\n    await this.#fencing.stopWritable(held.id);',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['cut-consul', 'isolate', 'slow-fence'],
    plan: ON_PROMISES,
  },
];
