import { change } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { DENSE, SPARSE_BEATS, TORN } from './plans.ts';

const SHELL = 'src/agent/agent.ts';
const HEARTBEAT = 'src/agent/heartbeat.ts';
const EX_LEADER = 'src/core/ex-leader.ts';

/** A paused lease that is over, and who knows of it. */
export const OVER_MUTANTS: readonly Mutant[] = [
  {
    name: 'forgets-what-is-over',
    rule: 'P15: an agent that is started does not read which lease its host has found over',
    changes: [
      change(SHELL, 'state.lapsedId = found.over;', 'state.lapsedId = undefined;'),
      // It is given back where it is not taken up, which hides this.
      change(
        'src/agent/state.ts',
        'over: this.attached ? this.ports.guardian.state().over : undefined,',
        'over: undefined,',
      ),
    ],
    seeds: 200,
    shows: ['L'],
    faults: ['pause', 'kill-agent', 'isolate', 'one-way-consul'],
    plan: DENSE,
  },
  {
    name: 'leaves-nothing-of-a-release',
    rule: 'P15: that a lease was given away is not kept on the host before Consul is told',
    changes: [
      change(
        HEARTBEAT,
        'await this.#arming.end(id);',
        'await this.#state.ports.guardian.disarm();',
      ),
    ],
    seeds: 900,
    shows: ['L'],
    faults: ['pause', 'switchover', 'kill-agent', 'isolate', 'one-way-consul'],
    plan: TORN,
  },
  {
    name: 'gives-back-by-name',
    rule: 'P15: a paused lease of the own name is given back, whoever has found it over',
    changes: [
      change(
        EX_LEADER,
        'return lease.id === view.over && valueOf(cluster.generation)?.id === lease.id;',
        'return valueOf(cluster.generation)?.holder === view.self;',
      ),
    ],
    seeds: 60,
    shows: ['D8', 'I2', 'A', 'B'],
    faults: ['pause', 'resume', 'crash-host', 'failing-jobs', 'twin'],
    plan: { ...DENSE, dynamic: { ...DENSE.dynamic, primary_start_timeout: 0 } },
  },
  {
    name: 'gives-back-unproved',
    rule: 'P15: a paused lease whose own time has ended is given back, whatever has become of its Postgres',
    changes: [
      change(EX_LEADER, 'return lease.id === view.over &&', 'return lease.id === view.lapsedId &&'),
    ],
    seeds: 120,
    shows: ['D8', 'I2', 'A', 'B'],
    unfound: 'not within 120 seeds: in the simulator every fence ends, so what is over is proved',
    faults: ['pause', 'resume', 'one-way-consul', 'isolate', 'failing-jobs', 'slow-start'],
    plan: { ...SPARSE_BEATS, dynamic: { ...SPARSE_BEATS.dynamic, primary_start_timeout: 0 } },
  },
  {
    name: 'leaves-under-a-deadline',
    rule: 'P15: in maintenance mode the agent leaves though the guardian has not lifted its deadline',
    changes: [
      change(
        'src/core/rules/220-shutdown.ts',
        "  postmaster.kind !== 'up' ||\n",
        "  postmaster.kind !== 'foreign' ||\n",
      ),
    ],
    seeds: 100,
    shows: ['D12'],
    faults: ['pause', 'resume', 'stop-agent', 'pause-guardian'],
    plan: DENSE,
  },
  {
    name: 'never-gives-back',
    rule: 'I8: whoever cannot take its paused lease up again keeps everybody waiting',
    changes: [change(EX_LEADER, 'if (!isOwnPausedOver(view) ||', 'if (isOwnPausedOver(view) ||')],
    seeds: 120,
    shows: ['L'],
    unfound: 'not within 120 seeds: whoever has led can lead again once all has healed',
    faults: ['pause', 'kill-agent', 'isolate', 'failing-jobs'],
    plan: DENSE,
  },
];
