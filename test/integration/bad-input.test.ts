import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { JsonObject } from '../../src/core/json.ts';
import type { DemoMember } from '../../src/demo/member.ts';
import { mergeConfig } from '../../src/demo/member-config.ts';
import { postmasterPid } from '../../src/demo/processes.ts';
import { BOUNDS, eventually, TestCluster, useCluster } from '../harness/cluster.ts';
import { logLines } from '../harness/cluster-log.ts';
import type { Ended } from '../harness/cluster-programs.ts';
import { runAgentToItsEnd } from '../harness/cluster-programs.ts';
import { storedGeneration, storedKeys } from '../harness/cluster-store.ts';

/** One member runs; the second is started by the tests with whatever is wrong. */
const get = useCluster({ members: 2 }, async (test) => {
  const [first] = test.members;
  first?.start();
  await test.cluster.waitForPrimary(BOUNDS.bootstrapMillis);
  await eventually('the last key of a new cluster', async () =>
    (await storedKeys(test)).has('history'),
  );
});

function two(): { readonly primary: DemoMember; readonly other: DemoMember } {
  const [primary, other] = get().members;
  if (primary === undefined || other === undefined) throw new Error('two members are needed');
  return { primary, other };
}

/** A configuration file beside the member's own; only the Postgres account may read it. */
function writeConfigFile(member: DemoMember, text: string): string {
  const file = join(member.folder, 'wrong.yml');
  writeFileSync(file, text);
  chmodSync(file, 0o600);
  get().run.giveToAccount(file);
  return file;
}

const changed = (member: DemoMember, over: JsonObject): string =>
  stringify(mergeConfig(parse(readFileSync(member.configFile, 'utf8')) as JsonObject, over));

/** Ends by itself, says what is wrong and what to do, and has touched nothing. */
async function expectRefusal(member: DemoMember, text: string, says: RegExp[]): Promise<Ended> {
  const keys = [...(await storedKeys(get())).keys()].sort();
  const ended = await runAgentToItsEnd(get().run, writeConfigFile(member, text));
  const all = `${ended.stdout}\n${ended.stderr}`;
  expect(ended.code, all).toBeTypeOf('number');
  expect(ended.code, all).not.toBe(0);
  expect(ended.stderr).toMatch(/^Error: /m);
  for (const saying of says) expect(ended.stderr).toMatch(saying);
  expect(all).not.toMatch(/^\s+at .*\.js:\d+/m);
  expect(existsSync(member.dataDir), 'no data directory was made').toBe(false);
  expect([...(await storedKeys(get())).keys()].sort()).toEqual(keys);
  return ended;
}

test('YAML that is none: the file and the line', async () => {
  const { other } = two();
  await expectRefusal(other, 'scope: test\nname: [pg2\nrestapi: {}\n', [
    /wrong\.yml/,
    /line \d|:\d+/,
  ]);
});

test('an unknown key and a wrong value: where, and what was meant', async () => {
  const { other } = two();
  const text = changed(other, { postgresql: { data_dirr: '/x', data_dir: null } });
  await expectRefusal(other, text, [/data_dir/]);
  await expectRefusal(other, changed(other, { restapi: { listen: 'nowhere:port' } }), [
    /restapi\.listen/,
  ]);
});

test('a file that does not exist', async () => {
  const ended = await runAgentToItsEnd(get().run, '/nonexistent/pgbaton.yml');
  expect(ended.code).not.toBe(0);
  expect(ended.stderr).toMatch(/^Error: .*\/nonexistent\/pgbaton\.yml/m);
  expect(ended.stderr).toMatch(/^Hint: /m);
});

test('no PostgreSQL where bin_dir says', async () => {
  const { other } = two();
  const text = changed(other, { postgresql: { bin_dir: '/nonexistent/bin' } });
  await expectRefusal(other, text, [/\/nonexistent\/bin/, /^Hint: /m]);
});

/** Whoever asks the occupant something is let go with it: it reads nothing, so it sees nobody leave. */
async function listen(port: number): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    server.once('leaving', () => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
}

const close = async (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    server.emit('leaving');
  });

test('the port of the REST API in use: refused before anything is done', async () => {
  const { other } = two();
  const occupant = await listen(other.restPort);
  const text = readFileSync(other.configFile, 'utf8');
  await expectRefusal(other, text, [new RegExp(String(other.restPort)), /^Hint: /m]);
  await close(occupant);
});

test('the port of Postgres in use: says so, waits, and goes on when it is free', async () => {
  const { primary, other } = two();
  const occupant = await listen(other.postgresPort);
  other.start();
  await eventually('the reason in its own words', async () => {
    const { text } = await other.rest('/explain');
    const logged = logLines(other)
      .map((line) => JSON.stringify(line))
      .join('\n');
    return /start failed/.test(text) && logged.includes(String(other.postgresPort));
  });
  expect(await primary.answers('/primary')).toBe(true);
  await close(occupant);
  expect(await get().settle()).toBe(primary);
  await other.stop(BOUNDS.conditionMillis);
});

test('a second agent for the same member: it is refused, the first goes on', async () => {
  const { primary } = two();
  const before = await storedGeneration(get());
  const pid = postmasterPid(primary.dataDir);
  const ended = await runAgentToItsEnd(get().run, primary.configFile);
  expect(ended.code).toBe(3);
  expect(ended.stderr).toMatch(/^Error: process \d+ is the agent of this member/m);
  expect(ended.stderr).toMatch(/^Hint: /m);
  expect(await primary.answers('/primary')).toBe(true);
  expect(postmasterPid(primary.dataDir)).toBe(pid);
  expect((await storedGeneration(get())).n).toBe(before.n);
});

test('a data directory of another cluster is neither started, joined nor replaced', async () => {
  const stranger = await TestCluster.create({ members: 1 });
  try {
    const [foreign] = stranger.members;
    if (foreign === undefined) throw new Error('no member');
    foreign.start();
    await stranger.cluster.waitForPrimary(BOUNDS.bootstrapMillis);
    await foreign.sql("create table theirs as select 'precious'::text as what");
    await foreign.stop(BOUNDS.conditionMillis);

    const { primary, other } = two();
    const document = parse(readFileSync(other.configFile, 'utf8')) as JsonObject;
    const original = readFileSync(other.configFile, 'utf8');
    const over = { postgresql: { data_dir: foreign.dataDir } };
    writeFileSync(other.configFile, stringify(mergeConfig(document, over)));
    other.start();
    const text = await eventually('the refusal', async () => {
      const answer = await other.rest('/explain');
      return /belongs to system \d+/.test(answer.text) && answer.text;
    });
    expect(text).toMatch(/R140/);
    expect(text).toMatch(/pgbaton does not touch it/);
    expect(postmasterPid(foreign.dataDir)).toBeUndefined();
    expect(await primary.answers('/primary')).toBe(true);
    expect(await get().cluster.streaming(primary)).toEqual([]);
    await other.stop(BOUNDS.conditionMillis);
    writeFileSync(other.configFile, original);

    foreign.start();
    await stranger.cluster.waitForPrimary(BOUNDS.takeoverMillis);
    expect(await foreign.sql('select what from theirs')).toEqual([{ what: 'precious' }]);
  } finally {
    await stranger.close();
  }
});

const run = (program: string, ...args: string[]): void => {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
};

test('a full disk at bootstrap: said so, nothing half done, and made whole once there is space', async () => {
  const disk = 'disk';
  const small = await TestCluster.create({
    members: 1,
    local: (_member, folder) => ({ postgresql: { data_dir: join(folder, disk, 'data') } }),
  });
  const [member] = small.members;
  if (member === undefined) throw new Error('no member');
  const mountPoint = join(member.folder, disk);
  mkdirSync(mountPoint);
  run('mount', '-t', 'tmpfs', '-o', 'size=20m,mode=0700', 'pgbaton-test', mountPoint);
  try {
    small.run.giveToAccount(mountPoint);
    member.start();
    const logged = await eventually('the failure in the log', () => {
      const failed = logLines(member).find(({ msg }) => msg === 'job failed');
      return failed !== undefined && JSON.stringify(failed);
    });
    expect(logged).toMatch(/postgres-disk-full/);
    expect(logged).toMatch(/Free space on the filesystem/);
    expect((await storedKeys(small)).has('initialize')).toBe(false);
    expect(existsSync(join(mountPoint, 'data', 'PG_VERSION')), 'no half data directory').toBe(
      false,
    );
    expect(member.isRunning).toBe(true);
    run('mount', '-o', 'remount,size=300m', mountPoint);
    await small.cluster.waitForPrimary(BOUNDS.bootstrapMillis);
    await member.sql('create table works as select 1');
    expect(readdirSync(mountPoint)).toContain('data');
  } catch (error) {
    console.error(small.evidence());
    throw error;
  } finally {
    await member.kill();
    run('umount', mountPoint);
    await small.close();
  }
});
