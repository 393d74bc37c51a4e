import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPostgres } from '../../src/adapters/postgres/create-postgres.ts';
import { systemClock } from '../../src/adapters/system/clock.ts';
import type { ServerFacts, Upstream } from '../../src/core/postgres.ts';
import type { Result } from '../../src/core/result.ts';
import { Secret } from '../../src/core/secret.ts';
import type { BootstrapSettings, PostgresSettings } from '../../src/core/settings.ts';
import { freePort } from '../../src/demo/ports.ts';
import type {
  FollowTarget,
  JobOptions,
  LaunchCommand,
  Postgres,
} from '../../src/ports/postgres.ts';

export const PASSWORDS = {
  superuser: "super'secret:\\1",
  replication: 'repl-secret 2',
  rewind: 'rewind-secret-3',
};

/** The installation that the tests run: PGBATON_TEST_PG_BIN names that of another version. */
export const PG_BIN = process.env['PGBATON_TEST_PG_BIN'] ?? '/usr/lib/postgresql/15/bin';
const PSQL = 'psql';

export const NOWHERE: FollowTarget = { upstream: undefined, slotName: undefined };
export const BOOTSTRAP: BootstrapSettings = {
  initdbOptions: ['--encoding=UTF8', '--locale=C', '--no-sync'],
  custom: undefined,
  postBootstrap: undefined,
  dynamic: {},
};

/** Polls until the condition answers something; fails with the last answer of `describe` after the bound. */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined> | T | undefined,
  boundMillis = 30_000,
): Promise<T> {
  const deadline = systemClock.now() + boundMillis;
  for (;;) {
    const answer = await condition();
    if (answer !== undefined) return answer;
    if (systemClock.now() > deadline) throw new Error(`not within ${boundMillis} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function expectOk<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.error.code}: ${result.error.message}`);
}

export const job = (signal: AbortSignal = new AbortController().signal): JobOptions => ({
  signal,
  onProgress: () => undefined,
});

export function settingsFor(
  dataDir: string,
  port: number,
  more: Partial<PostgresSettings> = {},
): PostgresSettings {
  const credentials = (username: string, password: string) => ({
    username,
    password: new Secret(password),
    options: {},
  });
  return {
    dataDir,
    configDir: undefined,
    binDir: process.env['PGBATON_TEST_PG_BIN'],
    binNames: {},
    listenAddresses: '127.0.0.1',
    port,
    connectHost: '127.0.0.1',
    connectPort: port,
    database: 'postgres',
    superuser: credentials('postgres', PASSWORDS.superuser),
    replication: credentials('replicator', PASSWORDS.replication),
    rewind: credentials('rewinder', PASSWORDS.rewind),
    pgpass: undefined,
    useUnixSocket: false,
    unixSocketDirectories: undefined,
    customConf: undefined,
    // Tests are about order, not about disks.
    parameters: { fsync: false, shared_buffers: '16MB', log_statement: 'all' },
    clusterParameters: { max_connections: 30 },
    recoveryConf: {},
    pgHba: undefined,
    pgIdent: undefined,
    pgCtlTimeoutMillis: 60_000,
    replicaMethods: ['basebackup'],
    basebackupOptions: [],
    rewindOptions: [],
    callbacks: {},
    prePromote: undefined,
    beforeStop: undefined,
    ...more,
  };
}

/** A member without agent and guardian: the adapter, and the postmaster as a child of the test. */
export class TestMember {
  readonly name: string;
  readonly dataDir: string;
  readonly stateDir: string;
  readonly port: number;
  readonly logs: string[] = [];
  settings: PostgresSettings;
  readonly postgres: Postgres;
  #child: ChildProcess | undefined;

  private constructor(name: string, root: string, settings: PostgresSettings) {
    this.name = name;
    this.settings = settings;
    this.dataDir = settings.dataDir;
    this.port = settings.port;
    this.stateDir = join(root, `${name}.state`);
    this.postgres = createPostgres({
      settings,
      scope: 'test',
      memberName: name,
      clock: systemClock,
      stateDir: this.stateDir,
      logger: {
        log: (level, message, fields) => {
          this.logs.push(JSON.stringify({ level, message, ...fields }));
        },
      },
    });
  }

  static async create(
    root: string,
    name: string,
    more: Partial<PostgresSettings> = {},
  ): Promise<TestMember> {
    const port = await freePort();
    return new TestMember(name, root, settingsFor(join(root, name), port, more));
  }

  static over(root: string, member: TestMember): TestMember {
    return new TestMember(member.name, root, member.settings);
  }

  configure(more: Partial<PostgresSettings>): void {
    this.settings = { ...this.settings, ...more };
    this.postgres.configure(this.settings);
  }

  upstream(): Upstream {
    return { name: this.name, host: '127.0.0.1', port: this.port };
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} is not running`);
    return pid;
  }

  /** Starts as the guardian would, as a direct child. */
  async start(target: FollowTarget = NOWHERE): Promise<LaunchCommand> {
    const command = expectOk(await this.postgres.prepareStart(target));
    await this.launch(command);
    await this.facts();
    return command;
  }

  async launch(command: LaunchCommand): Promise<void> {
    await mkdir(this.stateDir, { recursive: true });
    const log = openSync(command.logFile, 'a');
    this.#child = spawn(command.executable, [...command.args], {
      env: { ...command.env },
      stdio: ['ignore', log, log],
      cwd: '/',
    });
    closeSync(log);
  }

  /** Ends the postmaster and waits for it: SIGINT is a fast stop, SIGQUIT an immediate one. */
  async stop(signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL' = 'SIGINT'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGCONT');
    child.kill(signal);
    await ended;
  }

  /** Facts as soon as the server answers. */
  facts(): Promise<ServerFacts> {
    return until(`${this.name} answers`, async () => {
      const answer = await this.postgres.probe(2000);
      return answer.kind === 'answered' ? answer.facts : undefined;
    });
  }

  async promoted(): Promise<ServerFacts> {
    expectOk(await this.postgres.promote());
    const facts = await until(`${this.name} leaves recovery`, async () => {
      const seen = await this.facts();
      return seen.inRecovery ? undefined : seen;
    });
    expectOk(await this.postgres.protectPrimary());
    return facts;
  }

  streaming(): Promise<ServerFacts> {
    return until(`${this.name} streams`, async () => {
      const facts = await this.facts();
      return facts.receiverState === 'streaming' ? facts : undefined;
    });
  }

  /** A new cluster of one: initdb, start as a standby, promotion, roles. */
  async bootstrap(bootstrap: BootstrapSettings = BOOTSTRAP): Promise<void> {
    expectOk(await this.postgres.initialise(bootstrap, job()));
    await this.start();
    await this.promoted();
    expectOk(await this.postgres.finishBootstrap(bootstrap, new AbortController().signal));
  }

  log(): string {
    try {
      return readFileSync(join(this.stateDir, 'postgresql.log'), 'utf8');
    } catch {
      return '';
    }
  }

  /** psql as superuser: rows as text. */
  sql(statement: string): Promise<string> {
    return new Promise((resolve, reject) => {
      execFile(
        PSQL,
        ['-XAtq', '-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres', '-c', statement],
        {
          env: { PATH: process.env['PATH'] ?? '', PGPASSWORD: PASSWORDS.superuser },
          timeout: 20_000,
        },
        (error, stdout, stderr) => {
          if (error === null) resolve(stdout.trim());
          else reject(new Error(stderr));
        },
      );
    });
  }

  async close(): Promise<void> {
    await this.postgres.close();
    await this.stop('SIGKILL');
  }
}

/** A directory with members in it; all of it goes at the end. */
export class TestCluster {
  readonly root: string;
  readonly #members: TestMember[] = [];

  private constructor(root: string) {
    this.root = root;
  }

  static async create(): Promise<TestCluster> {
    return new TestCluster(await mkdtemp(join(tmpdir(), 'pgbaton-pg-')));
  }

  async member(name: string, more: Partial<PostgresSettings> = {}): Promise<TestMember> {
    const member = await TestMember.create(this.root, name, more);
    this.#members.push(member);
    return member;
  }

  /** Another adapter for the same server, as after a restart of the agent. */
  sameDirectory(member: TestMember): TestMember {
    return TestMember.over(this.root, member);
  }

  /** A standby of the primary, cloned and streaming. */
  async standby(
    name: string,
    primary: TestMember,
    more: Partial<PostgresSettings> = {},
  ): Promise<TestMember> {
    const member = await this.member(name, more);
    const target = { upstream: primary.upstream(), slotName: name };
    expectOk(await member.postgres.clone(primary.upstream(), target, job()));
    await member.start(target);
    await member.streaming();
    return member;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.close()));
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}
