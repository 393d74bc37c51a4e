import { describe, expect, test } from 'vitest';
import {
  clusterIdentifier,
  describeTarget,
  holdsLease,
  leader,
  leaseIsOver,
  ownLsn,
  role,
  server,
  targetOf,
  upstreamOf,
} from '../../src/core/facts.ts';
import { lsn } from '../../src/core/lsn.ts';
import { someSettings } from '../harness/settings.ts';
import { WAIT_MILLIS } from '../harness/elections.ts';
import {
  aGeneration,
  aMember,
  aRecord,
  aView,
  ago,
  ahead,
  down,
  garbled,
  holding,
  lapsed,
  present,
  primary,
  released,
  seen,
  silent,
  someFacts,
  standby,
} from '../harness/views.ts';

describe('what Postgres is', () => {
  test.each([
    ['down', down()],
    ['standby', standby()],
    ['primary', primary()],
    ['unanswered', silent()],
    ['unanswered', { ...standby(), probe: undefined }],
    ['foreign', { postmaster: { kind: 'foreign', pid: 7 } } as const],
    ['unknown', { postmaster: { kind: 'unknown' } } as const],
  ])('%s', (wanted, part) => {
    expect(role(aView(part))).toBe(wanted);
  });

  test('is not told by an answer of the server before it', () => {
    const restarted = { postmaster: { kind: 'up', pid: 2, startedAt: ago(5) } } as const;
    expect(server(aView(primary(), restarted))).toBeUndefined();
    expect(role(aView(primary(), restarted))).toBe('unanswered');
  });

  test('is not told by any answer once it is down', () => {
    const stopped = { postmaster: down().postmaster } as Partial<ReturnType<typeof aView>>;
    expect(server(aView(primary(), stopped))).toBeUndefined();
  });
});

describe('how far a log reaches', () => {
  const a = lsn(10n);
  const b = lsn(20n);
  test.each([
    ['received further', { receivedLsn: b, replayedLsn: a }, b],
    ['replayed further', { receivedLsn: a, replayedLsn: b }, b],
    ['only received', { receivedLsn: a, replayedLsn: undefined }, a],
    ['only replayed', { receivedLsn: undefined, replayedLsn: b }, b],
    ['neither', { receivedLsn: undefined, replayedLsn: undefined }, undefined],
    ['flushed on a primary', { inRecovery: false, flushLsn: b, receivedLsn: a }, b],
  ])('%s', (_title, given, wanted) => {
    expect(ownLsn(someFacts(given))).toBe(wanted);
  });
});

describe('who leads', () => {
  const of = (given: Parameters<typeof aRecord>[0]) => leader(aView(seen(aRecord(given), 100)));

  test('the holder of the generation, who serves once it has promoted', () => {
    expect(of({})).toMatchObject({ name: 'pg1', serves: true, generation: { id: 'g5' } });
  });

  test('the holder, not whom key leader names', () => {
    expect(of({ leader: present({ member: 'pg3', session: 's' }) })?.name).toBe('pg1');
  });

  test('it does not serve before its timeline is recorded', () => {
    expect(of({ generation: present(aGeneration({ timeline: 0 })) })?.serves).toBe(false);
  });

  test('it does not serve when its member key does not say primary, or is gone', () => {
    expect(of({ members: [aMember('pg1')] })?.serves).toBe(false);
    expect(of({ members: [] })).toMatchObject({ serves: false, member: undefined });
  });

  test('nobody after a release, and nobody who can be known without a readable generation', () => {
    expect(of({ lease: released() })).toBeUndefined();
    expect(of({ generation: garbled() })).toBeUndefined();
    expect(leader(aView({ cluster: undefined }))).toBeUndefined();
  });

  test('the holder, though its lease cannot be read', () => {
    expect(of({ lease: garbled() })?.name).toBe('pg1');
  });
});

describe('leases', () => {
  test('the own one holds before its end', () => {
    expect(holdsLease(aView(holding({ end: ahead(1) })))).toBe(true);
    expect(holdsLease(aView(lapsed()))).toBe(false);
    expect(holdsLease(aView())).toBe(false);
  });

  test('that of another is over after the whole wait', () => {
    expect(leaseIsOver(aView(seen(aRecord(), WAIT_MILLIS)))).toBe(true);
    expect(leaseIsOver(aView(seen(aRecord(), WAIT_MILLIS - 1)))).toBe(false);
  });

  test('that of another is not over as far as is known before Consul was read', () => {
    expect(leaseIsOver(aView({ cluster: undefined }))).toBe(false);
    expect(leaseIsOver(aView({ observation: undefined }))).toBe(false);
  });
});

describe('addresses', () => {
  test.each([
    ['postgres://a.example:5433/postgres', 'a.example', 5433],
    ['postgresql://a.example/postgres', 'a.example', 5432],
    ['postgres://user:pw@10.0.0.1:6000/x?sslmode=require', '10.0.0.1', 6000],
    ['postgres://[2001:db8::1]:5432/x', '2001:db8::1', 5432],
    ['postgres://host?application_name=x', 'host', 5432],
  ])('%s', (connUrl, host, port) => {
    expect(upstreamOf(aMember('pg1', { connUrl }))).toEqual({ name: 'pg1', host, port });
  });

  test.each(['', 'http://a.example:80', 'postgres://', 'a.example:5432'])(
    'are not guessed from "%s"',
    (connUrl) => {
      expect(upstreamOf(aMember('pg1', { connUrl }))).toBeUndefined();
    },
  );

  test('come with a slot named after this member, unless slots are off or nobody is followed', () => {
    const up = { name: 'pg1', host: 'h', port: 1 };
    const off = { settings: someSettings({ policy: { useSlots: false } }) };
    expect(targetOf(aView(), up)).toEqual({ upstream: up, slotName: 'pg2' });
    expect(targetOf(aView(off), up)).toEqual({ upstream: up, slotName: undefined });
    expect(targetOf(aView(), undefined)).toEqual({ upstream: undefined, slotName: undefined });
    expect(describeTarget({ upstream: up, slotName: 'pg2' })).toBe('pg1@h:1/pg2');
    expect(describeTarget({ upstream: undefined, slotName: undefined })).toBe('nobody');
  });
});

describe('the cluster', () => {
  test.each([
    ['the recorded identifier', present('77'), '77'],
    ['unknown while it is being bootstrapped', present(''), undefined],
    ['unknown when it cannot be read', garbled(), undefined],
    ['unknown when it is absent', { kind: 'absent' } as const, undefined],
  ])('is known by %s', (_title, initialize, wanted) => {
    expect(clusterIdentifier(aView(seen(aRecord({ initialize }), 100)))).toBe(wanted);
  });

  test('is unknown before Consul was read', () => {
    expect(clusterIdentifier(aView({ cluster: undefined }))).toBeUndefined();
  });
});
