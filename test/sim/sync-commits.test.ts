import { describe, expect, test } from 'vitest';
import { lsn } from '../../src/core/lsn.ts';
import { Replication } from './replication.ts';
import { SyncCommits } from './sync-commits.ts';

const ALIVE = { isOpen: () => true, isReset: () => false };

/** A primary whose log ends at 100, with standbys that have flushed so far. */
function primary(names: string, flushed: Readonly<Record<string, number>>) {
  const replication = new Replication();
  const senders = Object.keys(flushed).map((name) =>
    replication.connect({ name, address: name, slot: undefined, ...ALIVE }),
  );
  for (const sender of senders) {
    replication.report(sender, lsn(100n), lsn(100n));
    sender.flush = lsn(BigInt(flushed[sender.name] ?? 0));
  }
  const commits = new SyncCommits();
  commits.configure(names, replication.senders);
  const answers: string[] = [];
  const commit = (end: number) => {
    const waiting = {
      end: lsn(BigInt(end)),
      answer: (answer: string): void => {
        answers.push(`${end} ${answer}`);
      },
    };
    commits.add(waiting, replication.senders);
    return waiting;
  };
  const flush = (name: string, end: number): void => {
    const sender = senders.find((other) => other.name === name);
    if (sender === undefined) throw new Error(name);
    replication.report(sender, lsn(BigInt(end)), lsn(BigInt(end)));
    commits.release(replication.senders);
  };
  return { replication, commits, commit, flush, answers };
}

describe('a commit', () => {
  test('waits for nobody where no names are set', () => {
    const { commit, answers } = primary('', { a: 0 });
    commit(110);
    expect(answers).toEqual(['110 acknowledged']);
  });

  test('waits for the first of the list that is connected', () => {
    const { commit, flush, answers } = primary('1 (x,b,a)', { a: 100, b: 100 });
    commit(110);
    flush('a', 110);
    expect(answers).toEqual([]);
    flush('b', 110);
    expect(answers).toEqual(['110 acknowledged']);
  });

  test('waits for all of the first two', () => {
    const { commit, flush, answers } = primary('2 (a,b,c)', { a: 100, b: 100, c: 100 });
    commit(110);
    flush('c', 110);
    flush('a', 110);
    expect(answers).toEqual([]);
    flush('b', 120);
    expect(answers).toEqual(['110 acknowledged']);
  });

  test('waits for any two', () => {
    const { commit, flush, answers } = primary('ANY 2 (a,b,c)', { a: 100, b: 100, c: 100 });
    commit(110);
    flush('c', 110);
    expect(answers).toEqual([]);
    flush('a', 110);
    expect(answers).toEqual(['110 acknowledged']);
  });

  test('waits for ever where fewer are connected than have to have it', () => {
    const { commit, flush, answers } = primary('ANY 2 (a,b)', { a: 100 });
    commit(110);
    flush('a', 110);
    expect(answers).toEqual([]);
  });

  test('does not count a standby that has not caught up', () => {
    const { replication, commits, commit, answers } = primary('a', {});
    const late = replication.connect({
      name: 'a',
      address: 'a',
      slot: undefined,
      ...ALIVE,
    });
    commit(110);
    replication.report(late, lsn(90n), lsn(110n));
    commits.release(replication.senders);
    expect(answers).toEqual([]);
  });

  test('is released when the names are taken away', () => {
    const { replication, commits, commit, answers } = primary('a', {});
    commit(110);
    commits.configure('', replication.senders);
    expect(answers).toEqual(['110 acknowledged']);
  });

  test('is visible and not acknowledged when its client gives up', () => {
    const { commits, commit, answers } = primary('a', {});
    commits.started(lsn(100n));
    const first = commit(110);
    commit(120);
    expect(commits.visible(lsn(120n))).toBe(100n);
    commits.cancel(first);
    expect(answers).toEqual(['110 lost']);
    expect(commits.visible(lsn(120n))).toBe(110n);
  });

  test('is lost to its client when the server ends', () => {
    const { commits, commit, answers } = primary('a', {});
    commit(110);
    commits.disconnect();
    expect(answers).toEqual(['110 lost']);
    expect(commits.isWaiting).toBe(false);
  });
});

describe('pg_stat_replication', () => {
  test.each([
    ['', ['a async 0', 'b async 0', 'c async 0']],
    ['1 (b,a)', ['a potential 2', 'b sync 1', 'c async 0']],
    ['2 (b,A)', ['a sync 2', 'b sync 1', 'c async 0']],
    ['ANY 1 (a,b)', ['a quorum 1', 'b quorum 1', 'c async 0']],
    ['*', ['a sync 1', 'b potential 1', 'c potential 1']],
  ])('shows who is waited for by %j', (names, rows) => {
    const { replication, commits } = primary(names, { a: 100, b: 100, c: 100 });
    const shown = replication
      .rows(commits.names, lsn(100n))
      .map((row) => `${row.applicationName} ${row.syncState} ${row.syncPriority}`);
    expect(shown).toEqual(rows);
  });
});

describe('a slot', () => {
  test('keeps the log that its standby has not confirmed', () => {
    const replication = new Replication();
    replication.reconcile(['a', 'b'], [], lsn(100n));
    const sender = replication.connect({
      name: 'a',
      address: 'a',
      slot: 'a',
      ...ALIVE,
    });
    replication.report(sender, lsn(200n), lsn(200n));
    expect(replication.held()).toBe(100n);
    replication.reconcile(['a'], ['b'], lsn(200n));
    expect(replication.held()).toBe(200n);
  });

  test('that is in use is not dropped', () => {
    const replication = new Replication();
    replication.reconcile(['a'], [], lsn(100n));
    replication.connect({ name: 'a', address: 'a', slot: 'a', ...ALIVE });
    replication.reconcile([], ['a'], lsn(100n));
    expect(replication.slots.map(({ name }) => name)).toEqual(['a']);
  });
});
