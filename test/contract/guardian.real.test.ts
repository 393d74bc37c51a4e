import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createGuardian } from '../../src/adapters/guardian/create-guardian.ts';
import { bootMillis } from '../../src/guardian/boottime.ts';
import { fenceServer, targetOf } from '../../src/guardian/fence.ts';
import { readLock } from '../../src/guardian/lock.ts';
import { listChildren, signalExactly } from '../../src/guardian/procfs.ts';
import { sleep } from '../../src/ports/clock.ts';
import type { Guardian } from '../../src/ports/guardian.ts';
import type { AgentOrders } from '../harness/guardian-agent.ts';
import { exitOf, expectOk, lease, postmasterOf } from '../harness/guardian-bench.ts';
import type { GuardianProgram } from '../harness/guardian-program.ts';
import {
  GUARDIAN_MEMORY_MAX_KILOBYTES,
  compileGuardian,
  endGuardian,
  hostClock,
  identify,
  readGuardianLog,
  readPrivateKilobytes,
  runs,
  silentLogger,
  unaskingClock,
  until,
} from '../harness/guardian-program.ts';
import type { RealServerTemplate } from '../harness/guardian-real-server.ts';
import { PipeliningClient, RealServer, makeTemplate } from '../harness/guardian-real-server.ts';
import { becomePostgresUser } from '../harness/postgres-privileges.ts';

const helper = becomePostgresUser(statSync('/var/lib/postgresql'));

/** Plenty: what is to be over by the end of a lease is looked at by this process, when it gets to run. */
const FENCE_BUDGET_MILLIS = 1000;
/** What a busy machine may take on top. */
const SCHEDULING_MILLIS = 1500;

/** A small agent in a process of its own, which arms the guardian until it is killed. */
class Agent {
  readonly #child: ChildProcess;
  readonly attached: Promise<Record<string, unknown>>;
  lastDeadline = 0;
  arms = 0;

  constructor(orders: Partial<AgentOrders> = {}) {
    const { dataDir, runDir, command } = server;
    const timing = {
      ttlMillis: 3000,
      heartbeatMillis: 200,
      fenceBudgetMillis: FENCE_BUDGET_MILLIS,
    };
    const executable = program.executable;
    const all: AgentOrders = {
      dataDir,
      runDir,
      executable,
      command,
      leaseId: 'l',
      ...timing,
      ...orders,
    };
    this.#child = spawn(process.execPath, [program.agent, JSON.stringify(all)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    agents.push(this);
    const lines = createInterface({ input: this.#child.stdout ?? process.stdin });
    this.attached = new Promise((resolve) => {
      lines.on('line', (line) => {
        const event = JSON.parse(line) as Record<string, unknown>;
        if (event['event'] === 'attached') resolve(event['state'] as Record<string, unknown>);
        if (event['event'] !== 'armed' || event['ok'] !== true) return;
        this.lastDeadline = event['deadline'] as number;
        this.arms += 1;
      });
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  armed(): Promise<void> {
    const before = this.arms;
    return until('armed', () => this.arms > before);
  }
}

let program: GuardianProgram;
let template: RealServerTemplate;
let server: RealServer;
const agents: Agent[] = [];
const clients: { close?: () => void; detach?: () => Promise<void> }[] = [];

beforeAll(() => {
  program = compileGuardian();
  template = makeTemplate();
});
afterAll(() => {
  program.remove();
  template.remove();
  helper.close();
});
beforeEach(() => {
  server = new RealServer(template);
});
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.signal('SIGKILL');
  for (const client of clients.splice(0)) await (client.close?.() ?? client.detach?.());
  await endGuardian(server.runDir);
  await fenceServer(targetOf(server.dataDir, undefined), 10_000);
  server.remove();
});

function connectGuardian(clock = hostClock): Guardian {
  const { dataDir, runDir } = server;
  const common = { logger: silentLogger, clock, executable: program.executable };
  const guardian = createGuardian({ dataDir, runDir, ...common });
  clients.push(guardian);
  return guardian;
}

async function started(clock = hostClock): Promise<Guardian> {
  const guardian = connectGuardian(clock);
  await guardian.attach();
  expectOk(await guardian.launch(server.command));
  await server.ready();
  return guardian;
}

async function connectClient(): Promise<PipeliningClient> {
  const client = new PipeliningClient(server);
  clients.push(client);
  await client.connected();
  return client;
}

/** Clients that write without pause, and more that only hold a connection. */
async function connectWriters(writers: number, idle: number): Promise<PipeliningClient[]> {
  const first = await connectClient();
  await first.run('CREATE TABLE w (id bigserial PRIMARY KEY, t text)');
  const rest = await Promise.all(Array.from({ length: writers + idle - 1 }, () => connectClient()));
  const busy = [first, ...rest.slice(0, writers - 1)];
  for (const client of busy) client.keepSending(`INSERT INTO w (t) VALUES ('x')`, 100);
  await until('rows arrive', () => busy.every((client) => client.completed > 100));
  return busy;
}

const lastAcknowledged = (busy: readonly PipeliningClient[]): number =>
  Math.max(...busy.map((client) => client.lastAcknowledgedAt));

describe('an agent that does not come back', () => {
  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'after %s: no process is left and no write was acknowledged past the deadline',
    async (signal) => {
      const agent = new Agent();
      await agent.attached;
      await until('armed', () => agent.arms > 0);
      await server.ready();
      const busy = await connectWriters(4, 46);
      await agent.armed();
      agent.signal(signal);
      await until('fenced', () => server.pids().length === 0);
      expect(bootMillis()).toBeLessThan(agent.lastDeadline);
      await until('clients noticed', () => busy.every((client) => client.closed));
      expect(lastAcknowledged(busy)).toBeLessThan(agent.lastDeadline);
      // Served to the end: the fence begins no earlier than its budget and 50 ms before.
      expect(lastAcknowledged(busy)).toBeGreaterThan(
        agent.lastDeadline - FENCE_BUDGET_MILLIS - 50 - 700,
      );
      await until('logged', () =>
        readGuardianLog(server.runDir).some((line) => line['message'] === 'server fenced'),
      );
      const fenced = readGuardianLog(server.runDir).find(
        (line) => line['message'] === 'server fenced',
      );
      expect(fenced?.['killed']).toBeGreaterThan(50);
      expect(fenced?.['tookMillis']).toBeLessThan(FENCE_BUDGET_MILLIS);
    },
  );

  it('whose successor comes in time, leaves a server that nobody saw falter', async () => {
    const first = new Agent();
    await first.attached;
    await first.armed();
    await server.ready();
    const busy = await connectWriters(1, 0);
    await first.armed();
    first.signal('SIGKILL');
    const second = new Agent();
    expect(await second.attached).toMatchObject({
      kind: 'present',
      postmaster: { kind: 'up', pid: server.pids()[0] },
      armed: { leaseId: 'l', deadline: first.lastDeadline },
    });
    await until('past the first deadline', () => bootMillis() > first.lastDeadline);
    const before = busy[0]?.completed ?? 0;
    await until('still writing', () => (busy[0]?.completed ?? 0) > before);
    expect(busy[0]?.closed).toBe(false);
  });

  it('and a postmaster that is frozen: fenced all the same', async () => {
    const agent = new Agent();
    await agent.attached;
    await agent.armed();
    await server.ready();
    const busy = await connectWriters(2, 0);
    await agent.armed();
    signalExactly(identify(server.pids()[0] ?? 0), 'SIGSTOP');
    agent.signal('SIGKILL');
    await until('fenced', () => server.pids().length === 0);
    expect(bootMillis()).toBeLessThan(agent.lastDeadline);
    expect(lastAcknowledged(busy)).toBeLessThan(agent.lastDeadline);
  });
});

describe('the guardian of a real server', () => {
  it('killed itself, takes Postgres along by the kernel, and its agent knows at once', async () => {
    const guardian = await started(unaskingClock);
    await connectWriters(2, 10);
    const processes = server.pids().map(identify);
    signalExactly(readLock(server.runDir)!, 'SIGKILL');
    await until('known', () => guardian.state().kind === 'absent');
    await until('Postgres ended', () => processes.filter(runs).length === 0);
    expect(server.log()).toContain('received immediate shutdown request');
    await until('nothing foreign', () => {
      const state = guardian.state();
      return state.kind === 'absent' && state.foreign === undefined;
    });
  });

  it('stops fast as Postgres should: checkpointed and consistent', async () => {
    const guardian = await started();
    await connectWriters(1, 5);
    expectOk(await guardian.stop('fast', 30_000));
    expect(exitOf(guardian)).toMatchObject({ code: 0, cause: 'stopped' });
    const program = join(template.binDir, 'pg_controldata');
    const control = execFileSync(program, ['-D', server.dataDir], { env: { LC_ALL: 'C' } });
    expect(control.toString()).toMatch(/Database cluster state: +shut down\n/);
    expect(server.pids()).toEqual([]);
  });

  it('hears of a crash of the postmaster at once, when no backend is left to acknowledge', async () => {
    const guardian = await started(unaskingClock);
    const busy = await connectWriters(4, 10);
    const left = new Promise<number[]>((resolve) => {
      guardian.onChange(() => {
        if (postmasterOf(guardian) === 'down') resolve(server.pids());
      });
    });
    signalExactly(identify(server.pids()[0] ?? 0), 'SIGKILL');
    expect(await left).toEqual([]);
    await until('clients noticed', () => busy.every((client) => client.closed));
    // Nothing of the crashed server is in the way of the next one.
    expectOk(await guardian.launch(server.command));
    await until('recovered', () => server.log().split('ready to accept').length === 3);
  });

  it('hears of a backend crash that ends the whole server', async () => {
    const guardian = await started();
    const client = await connectClient();
    const [postmaster] = server.pids();
    client.keepSending('SELECT pg_sleep(60)', 1);
    const backend = await findBackend(postmaster ?? 0);
    signalExactly(identify(backend), 'SIGKILL');
    await until('down', () => postmasterOf(guardian) === 'down');
    expect(exitOf(guardian)).toMatchObject({ code: 1, cause: 'exited' });
  });

  it('fences fifty connections at the word of the agent', async () => {
    const guardian = await started();
    const busy = await connectWriters(4, 46);
    expectOk(await guardian.fence('test'));
    expect(server.pids()).toEqual([]);
    const fencedAt = bootMillis();
    await until('clients noticed', () => busy.every((client) => client.closed));
    // What was on its way is still read.
    expect(lastAcknowledged(busy)).toBeLessThan(fencedAt + SCHEDULING_MILLIS);
  });

  it('refuses a second server on the data directory, and tells the agent of a foreign one', async () => {
    const { executable, args, env } = server.command;
    // As a person would: not by this process, so that it is nobody's job.
    const line = 'exec setsid --fork "$0" "$@" >"$LOG" 2>&1';
    execFileSync('/bin/sh', ['-c', line, executable, ...args], {
      env: { ...env, LOG: server.command.logFile },
    });
    await server.ready();
    const guardian = connectGuardian();
    const found = await guardian.attach();
    expect(found).toEqual({ kind: 'absent', foreign: { pid: server.pids()[0] } });
    expect(await guardian.launch(server.command)).toMatchObject({
      ok: false,
      error: { code: 'postmaster-foreign' },
    });
    expectOk(await guardian.fence('foreign'));
    expect(server.pids()).toEqual([]);
    expectOk(await guardian.launch(server.command));
  });

  it('needs little memory, and none of it grows with the heartbeats', async () => {
    const guardian = await started();
    const pid = readLock(server.runDir)?.pid ?? 0;
    // The pace of the beats is part of what is looked at: faster than any agent, and not without pause.
    const beat = async (): Promise<boolean> => {
      const { ok } = await guardian.arm(lease(60_000));
      await sleep(hostClock, 20);
      return ok;
    };
    const fits = (): boolean => readPrivateKilobytes(pid) <= GUARDIAN_MEMORY_MAX_KILOBYTES;
    // What a start has touched is given back when little is allocated for a while.
    const settles = async (): Promise<void> =>
      until('small', async () => {
        return (await beat()) && fits();
      });
    await settles();
    for (let more = 0; more < 500; more += 1) await beat();
    // Between two looks through its memory it may be above that for a moment.
    await settles();
  });
});

/** The child of the postmaster that serves the client which sleeps. */
async function findBackend(postmaster: number): Promise<number> {
  let backend = 0;
  await until('a backend at work', () => {
    const found = listChildren(postmaster).find((pid) => titleOf(pid).includes('SELECT'));
    backend = found ?? 0;
    return found !== undefined;
  });
  return backend;
}

/** As the server shows it; empty of one that has just ended. */
function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
