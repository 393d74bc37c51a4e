import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './binaries.ts';
import { ProcessHandle } from './process-handle.ts';
import { preferPort } from './ports.ts';
import type { RunDirectory } from './run-directory.ts';
import { until } from './wait.ts';

/** What HAProxy has to know of a member. */
export interface ProxiedMember {
  readonly name: string;
  readonly postgresPort: number;
  readonly restPort: number;
}

export interface ProxyPorts {
  readonly primary: number;
  readonly replicas: number;
  readonly stats: number;
}

export type ProxiedSection = 'primary' | 'replicas';

const READY_TIMEOUT_MILLIS = 10_000;
const REQUEST_TIMEOUT_MILLIS = 1_000;
const STOP_GRACE_MILLIS = 2_000;

/**
 * The shipped `config/haproxy.cfg` with the ports and members of this machine: only its `bind` and
 * `server` lines are changed, so that what is tried here is what users run.
 */
export function renderHaproxyConfig(
  shipped: string,
  ports: ProxyPorts,
  members: readonly ProxiedMember[],
): string {
  const lines: string[] = [];
  let section = '';
  let membersWritten = '';
  for (const line of shipped.split('\n')) {
    section = /^listen (\w+)/.exec(line)?.[1] ?? section;
    if (/^ {4}bind /.test(line)) {
      lines.push(`    bind 127.0.0.1:${ports[section as keyof ProxyPorts]}`);
    } else if (!/^ {4}server /.test(line)) {
      lines.push(line);
    } else if (membersWritten !== section) {
      membersWritten = section;
      for (const { name, postgresPort, restPort } of members) {
        lines.push(`    server ${name} 127.0.0.1:${postgresPort} check port ${restPort}`);
      }
    }
  }
  return lines.join('\n');
}

/** Names of the servers that are up, by section: what the statistics of a HAProxy say. */
export async function proxiedUp(statsPort: number, section: ProxiedSection): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${statsPort}/;csv`, {
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MILLIS),
  });
  return (await answer.text())
    .split('\n')
    .map((line) => line.split(','))
    .filter(([proxy, server]) => proxy === section && !/^(FRONT|BACK)END$/.test(server ?? ''))
    .filter((columns) => columns[17]?.startsWith('UP') === true)
    .map((columns) => columns[1] ?? '');
}

/** HAProxy in front of the members. */
export class HaproxyServer {
  readonly ports: ProxyPorts;
  readonly process: ProcessHandle;

  constructor(ports: ProxyPorts, process: ProcessHandle) {
    this.ports = ports;
    this.process = process;
  }

  async up(section: ProxiedSection): Promise<string[]> {
    return proxiedUp(this.ports.stats, section);
  }

  /** Waits until the member is the one that writes are sent to. */
  async whenPrimaryIs(name: string, timeoutMillis: number): Promise<void> {
    await until(
      `HAProxy sending writes to ${name}`,
      async () => {
        const up = await this.up('primary');
        return up.length === 1 && up[0] === name;
      },
      { timeoutMillis },
    );
  }

  async stop(): Promise<void> {
    await this.process.stop(STOP_GRACE_MILLIS);
  }
}

/** Starts HAProxy in the foreground with a generated configuration; ports 5000, 5001, 7000 if free. */
export async function startHaproxy(
  run: RunDirectory,
  program: string,
  members: readonly ProxiedMember[],
): Promise<HaproxyServer> {
  const ports: ProxyPorts = {
    primary: await preferPort(5000),
    replicas: await preferPort(5001),
    stats: await preferPort(7000),
  };
  const shipped = readFileSync(join(REPOSITORY, 'config/haproxy.cfg'), 'utf8');
  const file = join(run.path, 'haproxy.cfg');
  writeFileSync(file, renderHaproxyConfig(shipped, ports, members));
  const server = new HaproxyServer(
    ports,
    new ProcessHandle({
      name: 'haproxy',
      program,
      args: ['-db', '-f', file],
      logFile: run.logFile('haproxy'),
    }),
  );
  await server.process.whenReady(async () => {
    await server.up('primary');
    return true;
  }, READY_TIMEOUT_MILLIS);
  return server;
}
