import { describe, expect, test } from 'vitest';
import { ABSENT } from '../../../src/core/cluster.ts';
import type { ClusterRecord } from '../../../src/core/cluster.ts';
import { waitMillis } from '../../../src/core/lease.ts';
import { observeLease } from '../../../src/core/observation.ts';
import type { Observation } from '../../../src/core/observation.ts';
import type { View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import { TTL_MILLIS } from '../../harness/settings.ts';
import {
  aGeneration,
  aHost,
  ago,
  ahead,
  aLease,
  aMember,
  aRecord,
  asked,
  aView,
  leaderKey,
  observed,
  opinion,
  present,
  released,
  SELF,
  SILENCE_MILLIS,
} from '../../harness/views.ts';

// 1. pg1 leads under Patroni; this member runs beside it and has read its key for long.
// 2. The local Consul agent of pg1 restarts: the session ends at once, and key leader with it.
// 3. pg1 lives on, and writes until its own loop notices. The key vanished just now, whatever else
//    has not moved for ages: Patroni is given its whole ttl.
const NOBODY = { generation: ABSENT, lease: ABSENT } as const;
const NEW_HOST = aHost({ floor: { n: 0, id: undefined }, followed: undefined });
const MEMBERS = [aMember(SELF), aMember('pg3')];

const readings = (
  ttlMillis: number,
  ...steps: readonly (readonly [Partial<ClusterRecord>, number])[]
): { readonly record: ClusterRecord; readonly observation: Observation | undefined } =>
  steps.reduce<{ record: ClusterRecord; observation: Observation | undefined }>(
    ({ observation }, [given, millisAgo]) => {
      const record = aRecord({ members: MEMBERS, ...given });
      return { record, observation: observeLease(observation, record, ago(millisAgo), ttlMillis) };
    },
    { record: aRecord(), observation: undefined },
  );

/** Key leader named `member`, and has been gone for so long. */
const vanished = (
  member: string,
  millisAgo: number,
  rest: Partial<ClusterRecord>,
  ttlMillis = TTL_MILLIS,
): Partial<View> => {
  const { record, observation } = readings(
    ttlMillis,
    [{ ...rest, leader: leaderKey(member) }, SILENCE_MILLIS],
    [{ ...rest, leader: ABSENT }, millisAgo],
  );
  return { cluster: observed(record), observation };
};
const answered = asked(opinion('pg3', { highestGeneration: { n: 0, id: undefined } }));
const patroni = (millisAgo: number): View =>
  aView(vanished('pg1', millisAgo, NOBODY), answered, { host: NEW_HOST });

decides([
  {
    when: 'a key of Patroni that vanished is waited for like a lease that begins then',
    view: patroni(waitMillis(TTL_MILLIS) - 1),
    rule: 'R590',
    why: /may still run/,
    wakeAt: ahead(1),
  },
  {
    when: 'when nothing came back for that long, this member takes over',
    view: patroni(waitMillis(TTL_MILLIS) + 100),
    rule: 'R410',
    actions: [{ kind: 'takeover', n: 1, basis: 'empty' }],
  },
]);

// 1. pg1 of pgbaton released its lease, or it lapsed. A member of Patroni's was faster: pg3 leads.
// 2. The key of pg3 vanishes. Release and lapsed lease are still in the store: of before.
const overtaken = (rest: Partial<ClusterRecord>, ...parts: readonly Partial<View>[]): View =>
  aView(vanished('pg3', 500, rest), asked(opinion('pg3')), ...parts);
const OWN = { generation: present(aGeneration({ holder: SELF }), 15) };

decides([
  {
    when: 'a Patroni that led after a pgbaton leader is waited for when its key vanishes',
    view: overtaken({}),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'a release from before Patroni led does not count any more',
    view: overtaken({ lease: released() }),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'nor does one to this very member',
    view: overtaken({ lease: released({ handoff: SELF }) }),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'nor does an own lease that lapsed before Patroni led',
    view: overtaken(OWN, { lapsedId: 'g5' }),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'Patroni is waited for by the ttl that is configured, not by that of the last lease',
    view: aView(
      vanished('pg3', SILENCE_MILLIS - 1, { lease: present(aLease(), 20) }, SILENCE_MILLIS),
      asked(opinion('pg3')),
    ),
    rule: 'R590',
    why: /may still run/,
  },
  {
    when: 'the key of the holder that vanishes proves nothing and delays nothing',
    view: aView(vanished('pg1', 1, {}), asked(opinion('pg3'))),
    rule: 'R410',
    actions: [{ kind: 'takeover', n: 6, basis: 'lease-over' }],
  },
]);

describe('that Patroni has led', () => {
  const patroniLeads = [{ leader: leaderKey('pg3') }, 900] as const;
  const gone = [{ leader: ABSENT }, 500] as const;

  test('is remembered while generation and lease are the same', () => {
    const { observation } = readings(TTL_MILLIS, patroniLeads, gone, [{ leader: ABSENT }, 100]);
    expect(observation).toMatchObject({ overtaken: true, seenAt: ago(500) });
  });

  test('is forgotten with the next lease', () => {
    const lease = present(aLease({ id: 'g6' }), 31);
    const generation = present(aGeneration({ n: 6, id: 'g6' }), 31);
    const { observation } = readings(TTL_MILLIS, patroniLeads, gone, [
      { leader: leaderKey('pg1'), generation, lease },
      100,
    ]);
    expect(observation).toMatchObject({ overtaken: false, seenAt: ago(100) });
  });
});
