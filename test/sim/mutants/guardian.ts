import { change } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { DENSE, SPARSE_BEATS } from './plans.ts';

const GUARDIAN = 'test/sim/guardian.ts';
const PORT = 'test/sim/guardian-port.ts';
const HEARTBEAT = 'src/agent/heartbeat.ts';
const ARMING = 'src/agent/arming.ts';

/** The second line of defence, and what is told to it. */
export const GUARDIAN_MUTANTS: readonly Mutant[] = [
  {
    name: 'no-guardian',
    rule: 'I3: its deadline never fires',
    changes: [
      change(GUARDIAN, 'Math.max(0, left)) + late', 'Math.max(0, left)) + late + 1e9'),
      change(
        GUARDIAN,
        'if (lease !== undefined && this.#host.clock.now() >= this.#fenceAt(lease)) {',
        'if (lease !== undefined && this.#host.clock.now() < 0) {',
      ),
    ],
    seeds: 60,
    shows: ['A', 'B'],
  },
  {
    name: 'guardian-told-durations',
    rule: 'P7: the guardian counts the ttl from when it is told, instead of being told a deadline',
    changes: [
      change(
        GUARDIAN,
        '    this.#armed = lease;\n',
        '    this.#armed = { ...lease, deadline: instant(this.#host.clock.now() + lease.ttlMillis) };\n',
      ),
    ],
    seeds: 60,
    shows: ['I2', 'A', 'B'],
    faults: ['slow-replies', 'pause-agent'],
    plan: SPARSE_BEATS,
  },
  {
    name: 'armed-after-the-promotion',
    rule: 'P7: the guardian is told of the lease by the first heartbeat after the promotion',
    changes: [
      change(
        ARMING,
        '    if (held.release !== undefined || held.id === this.#endedId) return;\n    if (guardian.state()',
        '    if (held.release !== undefined || this.#state.writableUnder !== held.id) return;\n    if (guardian.state()',
      ),
      change(
        'src/agent/promotion.ts',
        'if (!(await this.#heartbeat.armed())) {',
        'if (held.n < 0) {',
      ),
    ],
    seeds: 10,
    shows: ['B'],
  },
  {
    name: 'fence-that-does-not-wait',
    rule: 'I3: a fence says that Postgres is down before its last process is',
    changes: [
      change(
        PORT,
        '  async fence(): Promise<Result<void>> {\n',
        '  async fence(): Promise<Result<void>> {\n    if (this.#host.guardian !== undefined) {\n      void this.#ask(FENCE_ASK_MILLIS, async (guardian) => (await guardian.fence(), done));\n      return done;\n    }\n',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['slow-fence', 'isolate', 'switchover'],
    plan: DENSE,
  },
  {
    name: 'guardian-late-by-its-budget',
    rule: 'I3: the guardian begins to fence when the lease ends',
    changes: [
      change(GUARDIAN, 'lease.deadline - lease.fenceBudgetMillis - AHEAD_MILLIS', 'lease.deadline'),
    ],
    seeds: 80,
    shows: ['B'],
  },
  {
    name: 'shortened-lease-not-told',
    rule: 'P7: the guardian learns of a shorter lease after it was sent',
    changes: [
      change(
        HEARTBEAT,
        'const told =\n      (!shortened &&',
        'const told =\n      true || (!shortened &&',
      ),
    ],
    seeds: 100,
    shows: [],
    unfound: 'not in the first 25 seeds that were tried',
    faults: ['change-config', 'pause-agent', 'kill-agent'],
    plan: SPARSE_BEATS,
  },
  {
    name: 'suspended-clock-stands-still',
    rule: 'P10: deadlines are on a clock that stands still while the host does',
    changes: [
      change(
        'test/sim/process.ts',
        '  /** The host was booted again',
        '  stoodStill(millis: Millis): void {\n    this.#offset -= millis * this.#rate;\n  }\n\n  /** The host was booted again',
      ),
      change(
        'test/sim/host.ts',
        'if (standstill?.to === Infinity) standstill.to = this.world.now;',
        'if (standstill?.to === Infinity) {\n      standstill.to = this.world.now;\n      this.clock.stoodStill(standstill.to - standstill.from);\n    }',
      ),
    ],
    seeds: 150,
    shows: ['I2', 'A', 'B'],
  },
  {
    name: 'ended-lease-told-again',
    rule: 'P1: a beat that is answered while a release is prepared is told to the guardian',
    changes: [change('src/agent/arming.ts', ' || held.id === this.#endedId', '')],
    seeds: 300,
    shows: ['S'],
    faults: [],
    plan: { coreOnly: false, faultMillis: 0 },
  },
  {
    name: 'removes-a-request-once',
    rule: 'I8: a request that was carried out is removed by one try, whatever Consul answers',
    changes: [
      change('src/agent/commands.ts', 'if (this.#isStoreRequestOver) void', 'if (false) void'),
    ],
    seeds: 40,
    shows: ['S'],
    faults: [],
    plan: { coreOnly: false, faultMillis: 0 },
  },
];
