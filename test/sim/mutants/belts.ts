import { change } from './mutant.ts';
import type { Mutation } from '../run-compile.mjs';

/** What may be left out without anything going wrong, because something else holds. */
export interface Belt {
  readonly name: string;
  readonly rule: string;
  readonly changes: readonly Mutation[];
  /** What holds instead. */
  readonly because: string;
}

const LEASE = 'src/core/lease.ts';
const HEARTBEAT = 'src/agent/heartbeat.ts';
const GUARDIAN = 'test/sim/guardian.ts';
const SHELL = 'src/agent/takeover.ts';
const CHECKED = "['generation', 'lease', 'leader', 'sync', 'failsafe'] as const";

export const BELTS: readonly Belt[] = [
  {
    name: 'acknowledgement-revives',
    rule: 'P3: a late acknowledgement revives a lapsed lease',
    changes: [
      change(
        LEASE,
        'const alive = !isOver(held, now) && !held.amnesia;',
        'const alive = !held.amnesia;',
      ),
    ],
    because:
      'a beat that is in the store was waited for by everyone, and Postgres has been fenced by then',
  },
  {
    name: 'followers-ignore-a-release',
    rule: 'P1: a released lease is waited for like any other',
    changes: [
      change(
        'src/core/released.ts',
        'if (released === undefined || lease?.id !== valueOf(cluster.generation)?.id) return undefined;',
        'if (released !== null) return undefined;',
      ),
    ],
    because: 'it only takes longer: the lease is waited for',
  },
  {
    name: 'superseded-goes-on',
    rule: 'I1: a holder that reads a newer generation goes on beating',
    changes: [change(LEASE, 'if (generation.id !== held.id) {', 'if (generation.n < 0) {')],
    because:
      'a holder is superseded only when its lease has ended on its own clock, and it lets go of it then',
  },
  {
    name: 'twin-not-noticed',
    rule: 'P6: another process that writes the same lease is taken for its own past',
    changes: [change(LEASE, 'if (held.vouched) return', 'if (held.n < 0) return')],
    because:
      'the guardian of a host takes orders of its newest agent only, so that no two write one lease',
  },
  {
    name: 'adopts-what-is-down',
    rule: 'P6: a lease is adopted though the process before may have given it away',
    changes: [
      change(
        'src/agent/agent.ts',
        "if (postmaster.kind === 'up' && (armed.paused === true || leftMillis > 0)) {",
        'if (armed.paused === true || leftMillis > 0) {',
      ),
    ],
    because: 'the guardian has forgotten the lease before it is released',
  },
  {
    name: 'own-lapsed-at-once',
    rule: 'P3: a restarted agent takes the lease of the process before it for over',
    changes: [change('src/agent/agent.ts', 'if (leftMillis > 0) {', 'if (leftMillis > 1e9) {')],
    because: 'a member may take over from itself while its Postgres is down',
  },
  {
    name: 'guardian-keeps-a-released-lease',
    rule: 'P1: the guardian is not told of the release, the next agent finds the lease',
    changes: [change(HEARTBEAT, 'await this.#arming.end(id);', '')],
    because: 'a lease is adopted only with a Postgres that runs',
  },
  {
    name: 'guardian-takes-a-lapsed-lease',
    rule: 'I3: the guardian has fenced under a lease and is armed for it again',
    changes: [
      change(
        GUARDIAN,
        'if ([this.#lapsedId, this.#over].includes(lease.leaseId) || this.#lapsing)',
        'if (lease.n < 0)',
      ),
    ],
    because: 'the agent has given the lease up by itself',
  },
  {
    name: 'takeover-misses-a-list',
    rule: 'P5: a takeover does not check the failsafe list',
    changes: [change(SHELL, CHECKED, "['generation', 'lease', 'leader', 'sync'] as const")],
    because: 'the list changes only inside a beat, and that none has slipped in is checked',
  },
];
