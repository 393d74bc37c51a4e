import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import type { TestCluster } from '../harness/cluster.ts';
import { storedKey } from '../harness/cluster-store.ts';
import { replayJournal } from '../sim/run-journal.ts';

const JOURNAL = 'journal.jsonl';

const get = useCluster({ members: 2 });

/** Every journal below the directory of the cluster, by its path. */
function journalsOf(test: TestCluster): readonly string[] {
  return readdirSync(test.run.path, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(JOURNAL))
    .map((path) => join(test.run.path, path));
}

const linesOf = (path: string): readonly string[] => readFileSync(path, 'utf8').split('\n');

test('what real agents decided in a failover is decided again from their journals', async () => {
  const cluster = get();
  const primary = await cluster.settle();
  // Who streams for a moment only is not on the leader's list yet, and may not take over.
  await eventually('everyone is listed', async () => {
    const { text } = await storedKey(cluster, 'failsafe');
    return cluster.members.every(({ name }) => text.includes(`"${name}"`));
  });
  await primary.kill();
  await cluster.cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  await cluster.settle();

  const journals = journalsOf(cluster);
  expect(journals).toHaveLength(2);
  const rules = new Set<unknown>();
  for (const path of journals) {
    const lines = linesOf(path);
    const { differences, decided, skipped } = replayJournal(lines);
    expect(differences, path).toEqual([]);
    expect(decided).toBeGreaterThan(10);
    // The host that was lost may have left half a line.
    expect(skipped).toBeLessThanOrEqual(1);
    for (const [rule] of lines.join('\n').matchAll(/"rule":"R\d+"/g)) rules.add(rule);
  }
  for (const rule of ['R410', 'R320', 'R350', 'R520']) expect(rules).toContain(`"rule":"${rule}"`);
});

test('no journal holds a password of the configuration', () => {
  const cluster = get();
  const texts = journalsOf(cluster).map((path) => readFileSync(path, 'utf8'));
  for (const member of cluster.members) {
    const configuration = readFileSync(member.configFile, 'utf8');
    const passwords = [...configuration.matchAll(/password: *["']?([^\s"']+)/g)];
    expect(passwords.length).toBeGreaterThan(0);
    for (const [, password = ''] of passwords)
      for (const text of texts) expect(text).not.toContain(password);
  }
});
