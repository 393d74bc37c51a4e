import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { postmasterPid } from '../../src/demo/processes.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import type { Ended } from '../harness/cluster-programs.ts';
import { pgbaton } from '../harness/cluster-programs.ts';
import { storedGeneration } from '../harness/cluster-store.ts';

/** Codes of `pgbaton --help`. */
const EXIT = { done: 0, refused: 1, usage: 2, unreachable: 3 } as const;

const get = useCluster({ members: 3 });

const cli = async (...args: string[]): Promise<Ended> => {
  const [member] = get().members;
  if (member === undefined) throw new Error('no member');
  return pgbaton(member, ...args);
};

function expectDone(ended: Ended): string {
  expect(ended.code, `${ended.stdout}\n${ended.stderr}`).toBe(EXIT.done);
  // Progress goes there too.
  expect(ended.stderr).not.toMatch(/^(Error|Hint|Failed): /m);
  return ended.stdout;
}

/** Refused with a message and a hint for the person, on stderr. */
function expectFailure(ended: Ended, code: number, says: RegExp): void {
  expect(ended.code, `${ended.stdout}\n${ended.stderr}`).toBe(code);
  expect(ended.stderr).toMatch(says);
  expect(ended.stderr).toMatch(/^Error: /m);
  expect(ended.stderr).toMatch(/^Hint: /m);
}

const leaderNow = async (): Promise<DemoMember> =>
  get().cluster.waitForPrimary(BOUNDS.takeoverMillis);

test('list and topology show every member with role, state and lag', async () => {
  const primary = await get().settle();
  const table = expectDone(await cli('list'));
  for (const member of get().members) expect(table).toContain(member.name);
  expect(table).toMatch(new RegExp(`${primary.name} .*Leader .*running`));
  expect(table).toMatch(/Replica .*streaming/);
  const rows = JSON.parse(expectDone(await cli('-f', 'json', 'list'))) as Record<string, unknown>[];
  expect(rows.map((row) => String(row['Member'])).toSorted((a, b) => a.localeCompare(b))).toEqual([
    'pg1',
    'pg2',
    'pg3',
  ]);
  expect(rows.filter((row) => row['Role'] === 'Leader')).toHaveLength(1);
  const tree = expectDone(await cli('topology'));
  for (const replica of get().others(primary)) expect(tree).toContain(`+ ${replica.name}`);
});

test('explain names the rule that holds each member where it is', async () => {
  const primary = await get().settle();
  const text = expectDone(await cli('explain'));
  expect(text).toContain('R350');
  expect(text).toContain('R530');
  expect(text).toContain(`follows ${primary.name}`);
});

test('switchover --force hands over, tells for how long writes were stopped, and history has it', async () => {
  const primary = await get().settle();
  const [candidate] = get().others(primary);
  const text = expectDone(await cli('switchover', '--candidate', candidate.name, '--force'));
  expect(text).toMatch(
    new RegExp(`switched over to "${candidate.name}"; writes were stopped for \\d+ ms`),
  );
  expect(await get().settle()).toBe(candidate);
  const history = JSON.parse(expectDone(await cli('-f', 'json', 'history'))) as Record<
    string,
    unknown
  >[];
  expect(history.at(-1)).toMatchObject({ 'New Leader': candidate.name });
});

test('failover --force goes to the named member', async () => {
  const primary = await get().settle();
  const [candidate] = get().others(primary);
  expectDone(await cli('failover', '--candidate', candidate.name, '--force'));
  expect(await get().settle()).toBe(candidate);
});

test('switchover is refused with the reason: unknown member, the leader itself, a wrong leader, no answer', async () => {
  const primary = await get().settle();
  const [replica] = get().others(primary);
  const before = await storedGeneration(get());
  expectFailure(await cli('switchover', '--candidate', 'pg9', '--force'), EXIT.unreachable, /pg9/);
  expectFailure(
    await cli('switchover', '--candidate', primary.name, '--force'),
    EXIT.refused,
    new RegExp(`${primary.name} is the leader already`),
  );
  expectFailure(
    await cli('switchover', '--leader', replica.name, '--force'),
    EXIT.refused,
    /is not the leader/,
  );
  expectFailure(await cli('switchover'), EXIT.usage, /--force|terminal/);
  expectFailure(await cli('failover', '--force'), EXIT.usage, /candidate/);
  expect(await leaderNow()).toBe(primary);
  expect((await storedGeneration(get())).n).toBe(before.n);
});

test('edit-config changes the configuration of all members, shows what, and refuses what cannot work', async () => {
  await get().settle();
  const text = expectDone(await cli('edit-config', '-p', 'work_mem=9MB', '--force'));
  expect(text).toContain('9MB');
  for (const member of get().members) {
    await eventually(`work_mem of ${member.name}`, async () => {
      const [row] = await member.sql('show work_mem');
      return row?.['work_mem'] === '9MB';
    });
  }
  expect(expectDone(await cli('show-config'))).toContain('work_mem: 9MB');
  const refused = await cli('edit-config', '-s', 'ttl=0.1', '--force');
  expect(refused.code).not.toBe(EXIT.done);
  expect(refused.stderr).toMatch(/ttl/);
  expect(expectDone(await cli('show-config'))).not.toContain('ttl: 0.1');
});

test('restart restarts the named member alone, and is no failover', async () => {
  const primary = await get().settle();
  const before = await storedGeneration(get());
  const [replica] = get().others(primary);
  const pids = get().members.map((member) => [member.name, postmasterPid(member.dataDir)]);
  expectDone(await cli('restart', 'test', replica.name, '--force'));
  const changed = get().members.filter((member) => {
    const pid = postmasterPid(member.dataDir);
    return !pids.some(([name, known]) => name === member.name && known === pid);
  });
  expect(changed.map(({ name }) => name)).toEqual([replica.name]);
  expectDone(await cli('restart', 'test', primary.name, '--force'));
  expect(await get().settle()).toBe(primary);
  expect((await storedGeneration(get())).n).toBe(before.n);
});

test('reload reaches every member', async () => {
  await get().settle();
  const text = expectDone(await cli('reload', '--force'));
  for (const member of get().members) expect(text).toContain(member.name);
});

test('reinit --wait clones the member anew and ends when it streams; the leader refuses', async () => {
  const primary = await get().settle();
  const [replica] = get().others(primary);
  const pid = postmasterPid(replica.dataDir);
  expectDone(await cli('reinit', 'test', replica.name, '--force', '--wait'));
  expect(await get().cluster.streaming(primary)).toContain(replica.name);
  expect(postmasterPid(replica.dataDir)).not.toBe(pid);
  const refused = await cli('reinit', 'test', primary.name, '--force');
  expectFailure(refused, EXIT.refused, /leader/);
  expect(await get().settle()).toBe(primary);
});

test('what cannot be reached and what is no command end with codes of their own', async () => {
  expectFailure(
    await cli('-d', 'consul://127.0.0.1:1/service', 'list', 'test'),
    EXIT.unreachable,
    /127\.0\.0\.1:1/,
  );
  expectFailure(await cli('list', 'nobody'), EXIT.unreachable, /nobody/);
  expectFailure(await cli('lits'), EXIT.usage, /lits/);
  expectFailure(await cli('restart', 'test', 'pg9', '--force'), EXIT.unreachable, /pg9/);
});

test('a member whose agent is gone is told apart from one that refuses', async () => {
  const primary = await get().settle();
  const [replica] = get().others(primary);
  await replica.kill();
  expectFailure(
    await cli('restart', 'test', replica.name, '--force'),
    EXIT.unreachable,
    new RegExp(replica.name),
  );
  expect(await get().settle()).toBe(primary);
});
