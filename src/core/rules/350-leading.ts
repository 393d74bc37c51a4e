import type { Action } from '../action.ts';
import type { BrakeState } from '../brake.ts';
import { valueOf } from '../cluster.ts';
import type { ClusterRecord } from '../cluster.ts';
import type { Rule } from '../decision.ts';
import { holdsLease, record, role, server } from '../facts.ts';
import type { Memory } from '../memory.ts';
import { slotNameFor } from '../slots.ts';
import { syncDuty } from '../sync-duty.ts';
import type { SyncDuty } from '../sync-duty.ts';
import { since } from '../time.ts';
import type { ServerFacts } from '../postgres.ts';
import type { View } from '../view.ts';

const SLOTS_EVERY_MILLIS = 10_000;

/** The steady state of a leader, with the duties that come with it. */
export const leading: Rule = {
  number: 350,
  name: 'leading',
  when: 'the lease is held and Postgres is a running primary',
  evaluate(view, memory) {
    if (!holdsLease(view) || role(view) !== 'primary' || view.held === undefined) return undefined;
    const duties = dutiesOf(view, memory);
    const { says } = duties;
    const { brake = 'off' } = view;
    return {
      why: `leads under generation ${view.held.n}${says === '' ? '' : `, ${says}`}${BRAKE_SAYS[brake]}${unwatched(view)}`,
      waitsFor: brake === 'off' ? [] : ['an acknowledged heartbeat', 'the promises of all members'],
      actions: duties.actions,
      memory: duties.memory,
      wakeAt: duties.wakeAt,
    };
  },
};

const BRAKE_SAYS: Readonly<Record<BrakeState, string>> = {
  off: '',
  held: ', holds commits until the lease is renewed',
  frozen: ', has stopped Postgres where it is until the lease is renewed',
};

/** Where it is not required, its leader goes on without. */
const unwatched = ({ watchdog }: View): string =>
  watchdog?.kind === 'unusable' ? `, without its watchdog (${watchdog.why})` : '';

interface Duties {
  readonly actions: readonly Action[];
  readonly memory: Memory;
}

function dutiesOf(view: View, memory: Memory): SyncDuty {
  const cluster = record(view);
  const facts = server(view);
  if (cluster === undefined || facts === undefined) return { actions: [], memory, says: '' };
  const quiet = memory.abstain === undefined && memory.reclone === undefined;
  const settled = quiet ? memory : { ...memory, abstain: undefined, reclone: undefined };
  const lineage = lineageDuties(view, settled, cluster, facts);
  const slots = slotDuties(view, lineage.memory, cluster, facts);
  const sync = syncDuty(view, slots.memory, cluster, facts);
  return { ...sync, actions: [...lineage.actions, ...slots.actions, ...sync.actions] };
}

/** The own promotion: onto the disk of this host, into `generation`, and then into `history`. */
function lineageDuties(
  view: View,
  memory: Memory,
  cluster: ClusterRecord,
  facts: ServerFacts,
): Duties {
  const generation = valueOf(cluster.generation);
  if (generation === undefined || generation.id !== view.held?.id) return { actions: [], memory };
  const remembered = view.host.promotions.some(
    (promotion) => promotion.id === generation.id && promotion.timeline === facts.timeline,
  );
  if (!remembered) return { actions: [{ kind: 'remember-promotion' }], memory };
  if (generation.timeline !== facts.timeline) {
    return { actions: [{ kind: 'record-promotion' }], memory };
  }
  const historyFor = `${generation.id}/${facts.timeline}`;
  if (memory.duties.historyFor === historyFor) return { actions: [], memory };
  return { actions: [{ kind: 'write-history', historyFor }], memory };
}

function slotDuties(
  view: View,
  memory: Memory,
  cluster: ClusterRecord,
  facts: ServerFacts,
): Duties {
  if (!view.settings.policy.useSlots) return { actions: [], memory };
  const others = cluster.members
    .map((member) => member.key.name)
    .filter((name) => name !== view.self);
  const wanted = others.map(slotNameFor).toSorted();
  const missing = wanted.some((name) => !facts.slots.some((slot) => slot.name === name));
  const slotsFor = `${wanted.join(',')}@${facts.timeline}`;
  const { duties } = memory;
  const due = duties.slotsAt === undefined || since(duties.slotsAt, view.now) > SLOTS_EVERY_MILLIS;
  if (slotsFor === duties.slotsFor && !(missing && due)) return { actions: [], memory };
  return {
    actions: [{ kind: 'reconcile-slots', wanted, mayDrop: [slotNameFor(view.self)] }],
    memory: { ...memory, duties: { ...duties, slotsFor, slotsAt: view.now } },
  };
}
