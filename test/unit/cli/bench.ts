import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { runCli } from '../../../src/cli/program.ts';
import { createTerminal } from '../../../src/cli/terminal.ts';
import { FakeConsul } from './fake-consul.ts';
import { FakeMember } from './fake-member.ts';

export interface RunOptions {
  /** Lines typed by a person: makes standard input a terminal. */
  readonly typed?: readonly string[];
  /** What comes through a pipe. */
  readonly piped?: string;
  /** Width of the terminal on stdout; absent: not a terminal. */
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Without `-d`. */
  readonly bare?: boolean;
  /** Called with everything written to stdout so far. */
  readonly onOutput?: (text: string, session: Session) => void;
  /** Called before anything is done, with the means to press Ctrl-C. */
  readonly onStart?: (session: Session) => void;
  readonly runAgent?: (argv: string[]) => Promise<number>;
}

interface Session {
  interrupt(): void;
  closeOutput(): void;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A Consul with a cluster `demo` of three members, and the command line run against it. */
export class Bench {
  readonly consul: FakeConsul;
  readonly members: readonly FakeMember[];
  readonly home: string;

  private constructor(consul: FakeConsul, members: readonly FakeMember[], home: string) {
    this.consul = consul;
    this.members = members;
    this.home = home;
  }

  static async start(): Promise<Bench> {
    const consul = await FakeConsul.start();
    const members = await Promise.all(['node1', 'node2', 'node3'].map((n) => FakeMember.start(n)));
    const bench = new Bench(consul, members, await mkdtemp(join(tmpdir(), 'pgbaton-cli-')));
    bench.fill();
    return bench;
  }

  member(name: string): FakeMember {
    const member = this.members.find((each) => each.name === name);
    if (member === undefined) throw new Error(`no member ${name}`);
    return member;
  }

  fill(): void {
    const { consul } = this;
    consul.set('demo/initialize', '7710733172458067259');
    consul.set('demo/config', {
      ttl: 30,
      loop_wait: 10,
      postgresql: { parameters: { work_mem: '4MB' } },
    });
    consul.set('demo/leader', 'node1');
    consul.set('demo/status', { optime: 100 * 1024 * 1024 });
    this.publish('node1', 1, { role: 'primary', state: 'running', xlog_location: 104857600 });
    this.publish('node2', 2, { receive_lsn: 104857600, replay_lsn: 104857600 });
    this.publish('node3', 3, {
      receive_lsn: 104857600,
      replay_lsn: 73400320,
      tags: { nofailover: true },
    });
  }

  publish(name: string, host: number, fields: Readonly<Record<string, unknown>>): void {
    this.consul.set(`demo/members/${name}`, {
      conn_url: `postgres://10.0.0.${host}:5432/postgres`,
      api_url:
        this.members.find((each) => each.name === name)?.apiUrl ?? 'http://127.0.0.1:1/patroni',
      state: 'running',
      role: 'replica',
      version: '0.1.0',
      timeline: 2,
      ...(fields['role'] === 'primary' ? {} : { replication_state: 'streaming' }),
      ...fields,
    });
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const stdin = new PassThrough();
    const interrupts = new Set<() => void>();
    const session: Session = {
      interrupt: () => [...interrupts].forEach((listener) => listener()),
      closeOutput: () => stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    };
    options.onStart?.(session);
    let out = '';
    let err = '';
    stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString('utf8');
      options.onOutput?.(out, session);
    });
    stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')));
    const terminal = createTerminal({
      stdin: Object.assign(stdin, { isTTY: options.typed !== undefined }),
      stdout: Object.assign(
        stdout,
        options.columns === undefined ? {} : { isTTY: true, columns: options.columns, rows: 24 },
      ),
      stderr,
      env: { HOME: this.home, PATH: process.env['PATH'] ?? '', ...options.env },
      onInterrupt(listener) {
        interrupts.add(listener);
        return () => interrupts.delete(listener);
      },
    });
    stdin.end(options.piped ?? (options.typed ?? []).map((line) => `${line}\n`).join(''));
    const global = options.bare === true ? [] : ['-d', this.consul.url];
    const runAgent = options.runAgent ?? (() => Promise.resolve(0));
    const code = await runCli([...global, ...argv], terminal, { runAgent });
    return { code, out, err };
  }

  async stop(): Promise<void> {
    await Promise.all([this.consul.stop(), ...this.members.map((member) => member.stop())]);
    await rm(this.home, { recursive: true, force: true });
  }
}
