import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { JsonObject } from '../core/json.ts';
import type { Millis } from '../core/time.ts';
import type { ClusterShape, MemberPlace } from './member-config.ts';
import { memberConfig } from './member-config.ts';
import type { Place } from './place.ts';
import { ProcessHandle } from './process-handle.ts';
import type { RunningProcess } from './processes.ts';
import { killProcessesOf, postmasterPid, processesOf, signalProcess } from './processes.ts';
import type { AgentProgram } from './program.ts';
import type { RunDirectory } from './run-directory.ts';
import type { SqlRow, SqlTarget } from './sql.ts';
import { queryOnce } from './sql.ts';
import { DemoError } from './demo-error.ts';

export interface RestAnswer {
  readonly status: number;
  /** The JSON body, or an object with the text as `text`. */
  readonly body: JsonObject;
  readonly text: string;
}

export interface MemberSite {
  readonly place: Place;
  readonly restPort: number;
  readonly postgresPort: number;
}

const REST_TIMEOUT_MILLIS = 1_000;
const SQL_TIMEOUTS = { connectMillis: 2_000, statementMillis: 10_000 };

function readBody(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as JsonObject) : { text };
  } catch {
    return { text };
  }
}

/** One member on this machine: an agent, its guardian and its Postgres, all below one folder. */
export class DemoMember {
  readonly name: string;
  /** Everything of the member is below it, and every process of the member names it. */
  readonly folder: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly restPort: number;
  readonly postgresPort: number;
  readonly logFile: string;
  readonly #place: Place;
  readonly #run: RunDirectory;
  readonly #program: AgentProgram;
  readonly #shape: ClusterShape;
  #agent: ProcessHandle | undefined;

  constructor(
    run: RunDirectory,
    program: AgentProgram,
    shape: ClusterShape,
    name: string,
    site: MemberSite,
  ) {
    this.name = name;
    this.#place = site.place;
    this.#run = run;
    this.#program = program;
    this.#shape = shape;
    this.folder = run.makePrivateFolder(name);
    this.dataDir = join(this.folder, 'data');
    this.configFile = join(this.folder, 'pgbaton.yml');
    this.restPort = site.restPort;
    this.postgresPort = site.postgresPort;
    this.logFile = run.logFile(name);
    this.writeConfig();
  }

  get restUrl(): string {
    return `http://${this.#place.address}:${this.restPort}`;
  }

  get agent(): ProcessHandle {
    if (this.#agent === undefined) throw new DemoError(`${this.name} was never started`);
    return this.#agent;
  }

  get isRunning(): boolean {
    return this.#agent?.isAlive === true;
  }

  /** The member's configuration file, mode 0600 and the Postgres account's own: it holds passwords. */
  writeConfig(): void {
    const place: MemberPlace = {
      name: this.name,
      address: this.#place.address,
      clients: this.#place.clients,
      dataDir: this.dataDir,
      pgpass: join(this.folder, 'pgpass'),
      restPort: this.restPort,
      postgresPort: this.postgresPort,
    };
    writeFileSync(this.configFile, stringify(memberConfig(this.#shape, place)), { mode: 0o600 });
    chmodSync(this.configFile, 0o600);
    this.#run.giveToAccount(this.configFile);
  }

  /**
   * Starts the agent; it takes care of Postgres. Does nothing when it runs. `environment` is what the
   * agent is given beside what it needs.
   */
  start(environment: Readonly<Record<string, string>> = {}): void {
    if (this.isRunning) return;
    this.#agent = new ProcessHandle({
      name: this.name,
      enter: this.#place.enter,
      program: this.#program.node,
      args: [...this.#program.args, this.configFile],
      logFile: this.logFile,
      cwd: this.folder,
      // Nothing of the caller's environment: PATRONI_* and proxies would change what is tried here.
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: this.folder,
        LC_ALL: 'C.UTF-8',
        ...(this.#run.account === undefined ? {} : { PGBATON_USER: this.#run.account.name }),
        ...environment,
      },
    });
  }

  /** SIGTERM to the agent: a clean stop of member and Postgres. */
  async stop(graceMillis: Millis): Promise<void> {
    await this.#agent?.stop(graceMillis);
    killProcessesOf(this.folder);
  }

  /** A power cut: SIGKILL of agent, guardian, postmaster and backends. Answers what was killed. */
  async kill(): Promise<RunningProcess[]> {
    const killed = killProcessesOf(this.folder);
    await this.#agent?.ended;
    return killed;
  }

  /** SIGKILL of the agent alone; guardian and Postgres stay. */
  async killAgent(): Promise<void> {
    await this.#agent?.kill();
  }

  /** SIGKILL of the postmaster alone, as the kernel does when memory is short. Answers its pid. */
  killPostmaster(): number {
    const pid = postmasterPid(this.dataDir);
    if (pid === undefined)
      throw new DemoError(`${this.name}: no postmaster runs on ${this.dataDir}`);
    signalProcess(pid, 'SIGKILL');
    return pid;
  }

  processes(): RunningProcess[] {
    return processesOf(this.folder);
  }

  /** One REST call; throws when nobody answers within the timeout. */
  async rest(
    path: string,
    init: {
      readonly method?: string;
      readonly body?: JsonObject;
      readonly timeoutMillis?: Millis;
    } = {},
  ): Promise<RestAnswer> {
    const answer = await fetch(`${this.restUrl}${path}`, {
      method: init.method ?? 'GET',
      ...(init.body === undefined
        ? {}
        : { body: JSON.stringify(init.body), headers: { 'content-type': 'application/json' } }),
      signal: AbortSignal.timeout(init.timeoutMillis ?? REST_TIMEOUT_MILLIS),
    });
    const text = await answer.text();
    return { status: answer.status, body: readBody(text), text };
  }

  /** Whether a health endpoint says 200; false also when nobody answers. */
  async answers(path: string): Promise<boolean> {
    try {
      return (await this.rest(path)).status === 200;
    } catch {
      return false;
    }
  }

  /** The superuser on this member's Postgres. */
  get sqlTarget(): SqlTarget {
    return {
      host: this.#place.address,
      port: this.postgresPort,
      user: this.#shape.logins.superuser.username,
      password: this.#shape.logins.superuser.password,
      applicationName: 'pgbaton-demo',
    };
  }

  async sql(text: string, values: readonly unknown[] = []): Promise<SqlRow[]> {
    return queryOnce(this.sqlTarget, SQL_TIMEOUTS, text, values);
  }
}
