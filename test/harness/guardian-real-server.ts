import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootMillis } from '../../src/guardian/boottime.ts';
import { findServer, targetOf } from '../../src/guardian/fence.ts';
import type { LaunchCommand } from '../../src/ports/postgres.ts';
import { until } from './guardian-program.ts';
import { binaries } from './servers.ts';

const PORT = '5432';
const environment = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };

/** A fresh cluster of real Postgres, made once and copied for each test; reached by Unix socket only. */
export class RealServer {
  readonly root: string;
  readonly dataDir: string;
  readonly runDir: string;
  readonly command: LaunchCommand;

  constructor(template: RealServerTemplate) {
    this.root = mkdtempSync(join(tmpdir(), 'pgbaton-g-'));
    this.dataDir = join(this.root, 'data');
    this.runDir = join(this.root, 'run');
    cpSync(template.dataDir, this.dataDir, { recursive: true });
    const options = {
      listen_addresses: '',
      unix_socket_directories: this.root,
      port: PORT,
      max_connections: '100',
      shared_buffers: '128MB',
      restart_after_crash: 'off',
    };
    this.command = {
      executable: join(template.binDir, 'postgres'),
      args: [
        '-D',
        this.dataDir,
        ...Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      env: environment,
      dataDir: this.dataDir,
      logFile: join(this.root, 'postgresql.log'),
    };
  }

  get socketPath(): string {
    return join(this.root, `.s.PGSQL.${PORT}`);
  }

  log(): string {
    return readFileSync(this.command.logFile, 'utf8');
  }

  ready(): Promise<void> {
    return until('Postgres is ready', () => this.log().includes('ready to accept connections'));
  }

  /** Numbers of all processes of the server, the postmaster's first. */
  pids(): number[] {
    return findServer(targetOf(this.dataDir, undefined)).map((facts) => facts.pid);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}

export interface RealServerTemplate {
  readonly dataDir: string;
  readonly binDir: string;
  remove(): void;
}

export function makeTemplate(): RealServerTemplate {
  const root = mkdtempSync(join(tmpdir(), 'pgbaton-g-template-'));
  const dataDir = join(root, 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  const binDir = binaries().pgBinDir;
  execFileSync(
    join(binDir, 'initdb'),
    ['-D', dataDir, '-U', 'postgres', '--auth=trust', '--no-sync', '--locale=C'],
    { env: environment, stdio: 'ignore', timeout: 60_000, cwd: '/' },
  );
  return {
    dataDir,
    binDir,
    remove: () => {
      rmSync(root, { recursive: true, force: true });
    },
  };
}

const READY = 'Z'.charCodeAt(0);
const COMPLETE = 'C'.charCodeAt(0);

function message(type: string, body: string): Buffer {
  const text = Buffer.from(`${body}\0`);
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(text.length + 4, 1);
  return Buffer.concat([head, text]);
}

function startup(): Buffer {
  const parameters = Buffer.from('user\0postgres\0database\0postgres\0\0');
  const head = Buffer.alloc(8);
  head.writeInt32BE(parameters.length + 8, 0);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, parameters]);
}

/**
 * A client that does not wait for answers: it keeps many statements under way, as those do from
 * whom a dying server takes the most. Source: PostgreSQL manual, "Message Formats".
 */
export class PipeliningClient {
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #ready = false;
  #sent = 0;
  completed = 0;
  /** Boot time at which the last statement was acknowledged. */
  lastAcknowledgedAt = 0;
  closed = false;

  constructor(server: RealServer) {
    this.#socket = connect(server.socketPath);
    this.#socket.write(startup());
    this.#socket.on('data', (chunk) => {
      this.#receive(chunk);
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.closed = true;
    });
  }

  async connected(): Promise<void> {
    await until('connected', () => this.#ready);
  }

  /** One statement, waited for. */
  async run(statement: string): Promise<void> {
    const before = this.completed;
    this.#socket.write(message('Q', statement));
    await until(statement, () => this.completed > before);
  }

  /** Keeps so many statements under way, until the server is gone. */
  keepSending(statement: string, underWay: number): void {
    const bytes = message('Q', statement);
    const refill = (): void => {
      while (this.#sent - this.completed < underWay && !this.closed) {
        this.#socket.write(bytes);
        this.#sent += 1;
      }
    };
    this.#sent = this.completed;
    refill();
    this.#socket.on('data', refill);
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 5) {
      const length = this.#rest.readInt32BE(1) + 1;
      if (this.#rest.length < length) return;
      const type = this.#rest[0];
      if (type === READY) this.#ready = true;
      if (type === COMPLETE) {
        this.completed += 1;
        this.lastAcknowledgedAt = bootMillis();
      }
      this.#rest = this.#rest.subarray(length);
    }
  }
}
