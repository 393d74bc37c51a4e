import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Millis } from '../../src/core/time.ts';
import { until } from '../../src/demo/wait.ts';
import { CREATE_WRITES, Writer } from '../../src/demo/writer.ts';
import type { MemberName } from './container-cluster.ts';
import { BOUNDS, ContainerCluster, MEMBERS } from './container-cluster.ts';
import { buildMember } from './images.ts';

/** The cluster of docker/compose.yaml with its own images, and a client of its HAProxy. */
const engine = inject('engine');
const MAJOR = '15';
const TTL_MILLIS: Millis = 3_000;
/** What asynchronous replication may lose with a container: what was acknowledged within its last moments. */
const ASYNCHRONOUS_WINDOW_MILLIS: Millis = 100;
const OTHER_BUILD = '2';
/** For pkill -f: the agent alone, neither the init above it nor the guardian. */
const AGENT = '^node .*cli.js agent';

let cluster: ContainerCluster;
let writer: Writer;
const said: string[] = [];

beforeAll(async () => {
  if (engine === undefined) return;
  const built = await buildMember(engine.host, MAJOR);
  if (!built.ok) throw new Error(built.error.message);
  cluster = await ContainerCluster.create(engine, MAJOR);
  const startedAt = performance.now();
  await cluster.up();
  const upMillis = performance.now() - startedAt;
  await cluster.whenWritable();
  said.push(
    `up: ${seconds(upMillis)}, to the first write: ${seconds(performance.now() - startedAt)}`,
  );
  await cluster.query(CREATE_WRITES);
  await cluster.whenWhole();
  writer = new Writer({ name: 'client of HAProxy', targets: [await cluster.target('writes')] });
  writer.start();
});

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.error(await cluster.evidence());
});

afterAll(async () => {
  await writer?.stop();
  await cluster?.close();
  console.log(said.join('\n'));
});

const seconds = (millis: Millis): string => `${(millis / 1000).toFixed(2)} s`;

interface Cost {
  readonly from: MemberName;
  readonly to: MemberName;
  readonly gapMillis: Millis;
  /** Of the rows that the client was told were written and are not there: how long before the event. */
  readonly lostBeforeMillis: readonly Millis[];
}

/** Lets an event happen to the primary of a whole cluster; `mend` makes it whole again. */
async function cost(
  what: string,
  event: (primary: MemberName) => Promise<void>,
  mend: (primary: MemberName) => Promise<void> = () => Promise.resolve(),
): Promise<Cost> {
  const from = await cluster.whenWhole();
  await writer.nextAcknowledgement(BOUNDS.takeoverMillis);
  const atMillis = performance.now();
  await event(from);
  await writer.whenReconnected(atMillis, BOUNDS.takeoverMillis);
  const to = await cluster.whenPrimary();
  const gapMillis = writer.log.longestGap(atMillis)?.lengthMillis ?? Number.NaN;
  const mendedAt = performance.now();
  await mend(from);
  await cluster.whenWhole();
  const afterMillis = writer.log.longestGap(mendedAt, performance.now())?.lengthMillis ?? 0;
  const { lost } = await writer.check(await cluster.target('writes'));
  said.push(
    `${what}: ${from} -> ${to}, no write for ${seconds(gapMillis)}, then ${seconds(afterMillis)}; ${lost.length} lost; whole after ${seconds(performance.now() - mendedAt)}`,
  );
  return { from, to, gapMillis, lostBeforeMillis: lost.map((row) => atMillis - row.atMillis) };
}

/** Whether Postgres of a member takes writes, as seen from its own container. */
async function takesWrites(member: MemberName): Promise<boolean> {
  const command =
    'PGPASSWORD=$PGBATON_SUPERUSER_PASSWORD psql -h 127.0.0.1 -U postgres -Atc "select pg_is_in_recovery()"';
  const { output } = await cluster.execute(member, 'bash', '-c', command);
  return output.trim() === 'f';
}

describe.skipIf(engine === undefined)('a cluster in containers', () => {
  test('runs without root, below an init, and Docker finds it healthy', async () => {
    for (const member of MEMBERS) {
      const users = await cluster.execute(member, 'ps', '-eo', 'user=');
      expect(new Set(users.output.trim().split(/\s+/))).toEqual(new Set(['postgres']));
      const init = await cluster.execute(member, 'ps', '-o', 'comm=', '-p', '1');
      expect(init.output.trim()).toBe('tini');
      await until(
        `${member} healthy`,
        async () => (await cluster.inspect(member)).State.Health?.Status === 'healthy',
        { timeoutMillis: BOUNDS.firstWriteMillis },
      );
    }
  });

  test('is what Prometheus scrapes, with all rules loaded', async () => {
    await until(
      'three members up',
      async () => {
        const query = '/api/v1/query?query=sum(up{job="pgbaton"})';
        return JSON.stringify(await cluster.prometheus(query)).includes('"3"');
      },
      { timeoutMillis: BOUNDS.firstWriteMillis },
    );
    const rules = JSON.stringify(await cluster.prometheus('/api/v1/rules'));
    expect(rules).toContain('pgbaton-recording');
    expect(rules).toContain('PgbatonNoPrimary');
  });

  let killGapMillis: Millis;

  test('survives docker kill of the primary', async () => {
    const { from, to, gapMillis, lostBeforeMillis } = await cost(
      'docker kill',
      async (primary) => (await cluster.container(primary)).kill(),
      async (primary) => (await cluster.container(primary)).start(),
    );
    expect(to).not.toBe(from);
    killGapMillis = gapMillis;
    expect(lostBeforeMillis.filter((millis) => millis > ASYNCHRONOUS_WINDOW_MILLIS)).toEqual([]);
  });

  test('survives docker pause of the primary, which leads no more when it goes on', async () => {
    const { from, to, gapMillis, lostBeforeMillis } = await cost(
      'docker pause',
      async (primary) => (await cluster.container(primary)).pause(),
      async (primary) => (await cluster.container(primary)).unpause(),
    );
    expect(to).not.toBe(from);
    expect(await cluster.whenPrimary()).toBe(to);
    // Either costs a lease. Only a killed one takes its name with it, and nobody may wait for that.
    expect(killGapMillis).toBeLessThan(2 * gapMillis);
    expect(lostBeforeMillis.filter((millis) => millis > ASYNCHRONOUS_WINDOW_MILLIS)).toEqual([]);
  });

  test('survives the primary cut from the network, where it fences itself', async () => {
    let alsoTakesWrites = true;
    const { lostBeforeMillis } = await cost(
      'docker network disconnect',
      async (primary) => {
        expect(await takesWrites(primary)).toBe(true);
        await cluster.disconnect(primary);
      },
      async (primary) => {
        alsoTakesWrites = await takesWrites(primary);
        await cluster.connect(primary);
      },
    );
    expect(alsoTakesWrites).toBe(false);
    expect(lostBeforeMillis.filter((millis) => millis > ASYNCHRONOUS_WINDOW_MILLIS)).toEqual([]);
  });

  test('a frozen agent is fenced by the guardian of its container', async () => {
    let alsoTakesWrites = true;
    const { lostBeforeMillis } = await cost(
      'SIGSTOP of the agent',
      async (primary) => {
        await cluster.execute(primary, 'pkill', '-STOP', '-f', AGENT);
      },
      async (primary) => {
        alsoTakesWrites = await takesWrites(primary);
        await cluster.execute(primary, 'pkill', '-CONT', '-f', AGENT);
      },
    );
    expect(alsoTakesWrites).toBe(false);
    expect(lostBeforeMillis.filter((millis) => millis > ASYNCHRONOUS_WINDOW_MILLIS)).toEqual([]);
  });

  test('a container that crashes and restarts at once starts Postgres as a standby, whatever it led before', async () => {
    const { from, lostBeforeMillis } = await cost('crash of the container', async (primary) => {
      // The agent is what the init waits for: the container ends, and Docker starts it again.
      await cluster.execute(primary, 'pkill', '-KILL', '-f', AGENT);
    });
    const { RestartCount, State } = await cluster.inspect(from);
    expect(RestartCount).toBe(1);
    const log = await cluster.logSince(from, new Date(State.StartedAt));
    const starts = [...log.matchAll(/starting PostgreSQL/g)].length;
    expect(starts).toBeGreaterThan(0);
    expect([...log.matchAll(/entering standby mode/g)]).toHaveLength(starts);
    expect(lostBeforeMillis.filter((millis) => millis > ASYNCHRONOUS_WINDOW_MILLIS)).toEqual([]);
  });

  test('switches over on request, without waiting for a lease', async () => {
    const { gapMillis, lostBeforeMillis } = await cost('switchover', async (primary) => {
      const { code, output } = await cluster.execute(primary, 'pgbaton', 'switchover', '--force');
      expect(code, output).toBe(0);
    });
    expect(gapMillis).toBeLessThan(TTL_MILLIS);
    expect(lostBeforeMillis).toEqual([]);
  });

  test('docker stop of the primary hands over, and stops Postgres cleanly', async () => {
    const { gapMillis, lostBeforeMillis } = await cost(
      'docker stop',
      async (primary) => {
        await (await cluster.container(primary)).stop();
        expect((await cluster.inspect(primary)).State.ExitCode).toBe(0);
      },
      async (primary) => (await cluster.container(primary)).start(),
    );
    expect(gapMillis).toBeLessThan(TTL_MILLIS);
    expect(lostBeforeMillis).toEqual([]);
  });

  test('rolls to a new build member by member: the switchover is the only gap', async () => {
    if (engine === undefined) return;
    const built = await buildMember(engine.host, MAJOR, OTHER_BUILD);
    expect(built.ok).toBe(true);
    const primary = await cluster.whenWhole();
    const beganAt = performance.now();
    for (const replica of MEMBERS.filter((name) => name !== primary)) {
      await cluster.up([replica]);
      await cluster.whenWhole();
    }
    const replicasGap = writer.log.longestGap(beganAt, performance.now());
    const { gapMillis, lostBeforeMillis } = await cost(
      'switchover before the last one',
      async () => {
        const { code } = await cluster.execute(primary, 'pgbaton', 'switchover', '--force');
        expect(code).toBe(0);
      },
    );
    const lastAt = performance.now();
    await cluster.up([primary]);
    await cluster.whenWhole();
    const lastGap = writer.log.longestGap(lastAt, performance.now());
    for (const member of MEMBERS) {
      const { Config } = await cluster.inspect(member);
      expect(Config.Labels['pgbaton.build']).toBe(OTHER_BUILD);
    }
    const around = [replicasGap, lastGap].map((gap) => gap?.lengthMillis ?? Number.NaN);
    said.push(`longest pauses while the members were replaced: ${around.map(seconds).join(', ')}`);
    expect(Math.max(...around)).toBeLessThan(gapMillis);
    expect(lostBeforeMillis).toEqual([]);
  });

  test('all stopped and started again serves what it had', async () => {
    const [before] = await cluster.query('select count(*)::int as rows from first_write');
    await writer.stop();
    const stopAt = performance.now();
    await cluster.stop();
    const startAt = performance.now();
    await cluster.up();
    await cluster.whenWritable();
    said.push(
      `stop: ${seconds(startAt - stopAt)}, up again to a write: ${seconds(performance.now() - startAt)}`,
    );
    await cluster.whenWhole();
    const [after] = await cluster.query('select count(*)::int as rows from first_write');
    expect(Number(after?.['rows'])).toBe(Number(before?.['rows']) + 1);
    const { lost } = await writer.check(await cluster.target('writes'));
    expect(lost).toEqual([]);
  });
});
