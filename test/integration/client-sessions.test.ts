import { afterAll, expect, test } from 'vitest';
import type { HaproxyServer } from '../../src/demo/haproxy-server.ts';
import { startHaproxy } from '../../src/demo/haproxy-server.ts';
import type { DemoMember } from '../../src/demo/member.ts';
import { signalProcess } from '../../src/demo/processes.ts';
import { SqlConnection } from '../../src/demo/sql.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { binaries } from '../harness/servers.ts';

const TIMEOUTS = { connectMillis: 5_000, statementMillis: 5_000 };
/** Default ttl. */
const LEASE_MILLIS = 3_000;
/** Two checks of HAProxy, as config/haproxy.cfg has them. */
const NOTICED_MILLIS = 1_000;

let haproxy: HaproxyServer | undefined;
const get = useCluster({ members: 2 }, async (test) => {
  const primary = await test.settle();
  haproxy = await startHaproxy(test.run, binaries().haproxy, test.members);
  await haproxy.whenPrimaryIs(primary.name, BOUNDS.conditionMillis);
});
afterAll(async () => {
  await haproxy?.stop();
});

/** A client that has begun a transaction and says no more; answers when its connection had ended. */
class IdleClient {
  readonly #connection: SqlConnection;
  readonly ended: Promise<number>;

  private constructor(connection: SqlConnection) {
    this.#connection = connection;
    this.ended = connection.ended().then(() => performance.now());
  }

  static async begin(member: DemoMember, port: number): Promise<IdleClient> {
    const connection = await SqlConnection.open({ ...member.sqlTarget, port }, TIMEOUTS);
    await connection.query('begin');
    await connection.query('select 1');
    return new IdleClient(connection);
  }

  close(): void {
    this.#connection.close();
  }
}

interface Clients {
  readonly direct: IdleClient;
  readonly proxied: IdleClient;
}

async function idleOn(primary: DemoMember): Promise<Clients> {
  const port = haproxy?.ports.primary ?? 0;
  await haproxy?.whenPrimaryIs(primary.name, BOUNDS.conditionMillis);
  return {
    direct: await IdleClient.begin(primary, primary.postgresPort),
    proxied: await IdleClient.begin(primary, port),
  };
}

/** Both see the end of their connections within the bound, counted from `begunAt`. */
async function expectEnded(
  { direct, proxied }: Clients,
  begunAt: number,
  withinMillis: number,
  what: string,
): Promise<void> {
  let took: readonly number[] | undefined;
  void Promise.all([direct.ended, proxied.ended]).then((at) => {
    took = at.map((moment) => Math.round(moment - begunAt));
  });
  const ends = await eventually('both connections ended', () => took, BOUNDS.takeoverMillis);
  console.info(`${what}: direct after ${ends[0]} ms, through HAProxy after ${ends[1]} ms`);
  for (const millis of ends) expect(millis).toBeLessThan(withinMillis);
}

test('a switchover ends the sessions of clients that idle in a transaction', async () => {
  const primary = await get().settle();
  const clients = await idleOn(primary);
  const begunAt = performance.now();
  const answer = await primary.rest('/switchover', {
    method: 'POST',
    body: { leader: primary.name },
    timeoutMillis: BOUNDS.takeoverMillis,
  });
  expect(answer.status, answer.text).toBe(200);
  await expectEnded(clients, begunAt, LEASE_MILLIS + BOUNDS.schedulingMillis, 'switchover');
});

test('a frozen agent: its guardian ends them with the lease', async () => {
  const primary = await get().settle();
  const clients = await idleOn(primary);
  const begunAt = performance.now();
  primary.agent.signal('SIGSTOP');
  try {
    await expectEnded(clients, begunAt, LEASE_MILLIS + BOUNDS.schedulingMillis, 'frozen agent');
  } finally {
    primary.agent.signal('SIGCONT');
  }
});

test('a frozen host: HAProxy ends the sessions that it has brought there', async () => {
  const primary = await get().settle();
  const { direct, proxied } = await idleOn(primary);
  const frozen = primary.processes();
  const begunAt = performance.now();
  for (const { pid } of frozen) signalProcess(pid, 'SIGSTOP');
  try {
    const at = await proxied.ended;
    console.info(`frozen host: through HAProxy after ${Math.round(at - begunAt)} ms`);
    expect(at - begunAt).toBeLessThan(2 * NOTICED_MILLIS + BOUNDS.schedulingMillis + LEASE_MILLIS);
  } finally {
    for (const { pid } of frozen) signalProcess(pid, 'SIGCONT');
  }
  // What the others did meanwhile it learns when it goes on, and its server is gone.
  const at = await direct.ended;
  expect(at).toBeGreaterThan(begunAt);
  await get().settle();
});
