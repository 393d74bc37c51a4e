import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { postmasterPid } from '../../src/demo/processes.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { logMark, logSince } from '../harness/cluster-log.ts';
import { binaries } from '../harness/servers.ts';

/*
 * I4: what starts Postgres behind the agent's back (a unit of the distribution at the boot of the
 * host, a person) gets no primary, whatever configuration it starts it with.
 */

const get = useCluster({ members: 3 });
const load = useLoad(get);

/** The host loses power, and comes back: no process is left, not even one that nobody has reaped. */
async function reboot(member: DemoMember): Promise<void> {
  await member.kill();
  rmSync(join(member.dataDir, 'postmaster.pid'), { force: true });
}

/** As the account that owns the data, and as nobody's child. */
function startByHand(member: DemoMember, options: readonly string[], logFile: string): void {
  const { account } = get().run;
  const asAccount =
    account === undefined
      ? []
      : ['setpriv', `--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups', '--'];
  const postgres = [join(binaries().pgBinDir, 'postgres'), '-D', member.dataDir, ...options];
  const line = 'cd / && exec setsid --fork "$@" >"$LOG" 2>&1';
  execFileSync('/bin/sh', ['-c', line, 'sh', ...asAccount, ...postgres], {
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', LOG: logFile },
    timeout: 10_000,
  });
}

/** What a distribution's unit brings along: a configuration of its own, and who may connect. */
function packagedConfiguration(member: DemoMember): readonly string[] {
  const file = join(member.folder, 'packaged.conf');
  const hba = join(member.folder, 'packaged-hba.conf');
  writeFileSync(hba, 'host all all 127.0.0.1/32 trust\n', { mode: 0o644 });
  const lines = [
    `port = ${member.postgresPort}`,
    `listen_addresses = '127.0.0.1'`,
    `unix_socket_directories = ''`,
    `hba_file = '${hba}'`,
    'max_connections = 200',
    'max_worker_processes = 20',
    'max_wal_senders = 20',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o644 });
  return ['-c', `config_file=${file}`];
}

test('Postgres that the host starts by itself after a power cut is a standby, and the agent puts it in its place', async () => {
  const old = await get().settle();
  const begunAt = performance.now();
  await reboot(old);
  startByHand(old, packagedConfiguration(old), join(old.folder, 'packaged.log'));
  const by = await eventually('Postgres up', async () => {
    const rows = await old.sql('select pg_is_in_recovery() as standby').catch(() => undefined);
    return rows?.[0] !== undefined && { standby: rows[0]['standby'] };
  });
  expect(by).toEqual({ standby: true });
  await expect(old.sql('create table by_hand (n int)')).rejects.toThrow('read-only');
  const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, old);
  await load().whenServing(winner);
  const mark = logMark(old);
  const foreign = postmasterPid(old.dataDir);
  old.start();
  expect(await get().settle()).toBe(winner);
  expect(postmasterPid(old.dataDir)).not.toBe(foreign);
  const rules = logSince(old, mark).map((line) => line['rule']);
  expect(rules).toContain('R120');
  expect(load().writableSequence(begunAt)).toEqual([winner.name]);
  expect(load().twoPrimaries).toEqual([]);
});

test('the command line that pgbaton uses gives a standby, too, beside a cluster that has gone on', async () => {
  const old = await get().settle();
  const pid = postmasterPid(old.dataDir);
  const options = readFileSync(`/proc/${pid ?? 0}/cmdline`, 'utf8')
    .split('\0')
    .slice(1, -1);
  const begunAt = performance.now();
  await reboot(old);
  const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, old);
  startByHand(old, options, join(old.folder, 'command-line.log'));
  await eventually('Postgres up', async () => {
    const rows = await old.sql('select pg_is_in_recovery() as standby').catch(() => undefined);
    return rows?.[0]?.['standby'] === true;
  });
  await expect(old.sql('create table by_hand (n int)')).rejects.toThrow('read-only');
  expect(await get().settle()).toBe(winner);
  expect(load().writableSequence(begunAt).at(-1)).toBe(winner.name);
  expect(load().twoPrimaries).toEqual([]);
});
