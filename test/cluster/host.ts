import type { Millis } from '../../src/core/time.ts';
import type { ConsulServer } from '../../src/demo/consul-servers.ts';
import type { DemoMember } from '../../src/demo/member.ts';
import { postmasterPid, processesOf, signalProcess } from '../../src/demo/processes.ts';
import type { RunningProcess } from '../../src/demo/processes.ts';
import type { SqlTarget } from '../../src/demo/sql.ts';
import { pause } from '../../src/demo/wait.ts';
import { emptyDisk, fillDisk } from '../harness/small-disk.ts';

/** What systemd waits before it starts an agent again, unless told otherwise. */
const RESTART_AFTER_MILLIS = 100;
const FREEZE_ROUNDS = 3;

export interface HostParts {
  readonly member: DemoMember;
  readonly consul: ConsulServer;
  /** Everything of this host's Consul server is below it. */
  readonly consulFolder: string;
  /** Of the Unix socket of this host's Postgres. */
  readonly socketFolder: string;
}

/** One host: a Consul server, a member, and a supervisor that starts the agent whenever it has ended. */
export class Host {
  readonly member: DemoMember;
  readonly consul: ConsulServer;
  readonly #consulFolder: string;
  readonly #socketFolder: string;
  #supervised = false;

  constructor({ member, consul, consulFolder, socketFolder }: HostParts) {
    this.member = member;
    this.consul = consul;
    this.#consulFolder = consulFolder;
    this.#socketFolder = socketFolder;
  }

  get name(): string {
    return this.member.name;
  }

  /** The superuser through the Unix socket: reachable from outside of the host whatever the network does. */
  get sqlTarget(): SqlTarget {
    return { ...this.member.sqlTarget, host: this.#socketFolder };
  }

  /** Consul server and agent; what runs already is left alone. */
  boot(): void {
    this.consul.start();
    this.startAgent();
  }

  /** The agent, now and whenever it ends, until somebody wants it away. */
  startAgent(environment: Readonly<Record<string, string>> = {}): void {
    this.#supervised = true;
    if (this.member.isRunning) return;
    this.member.start(environment);
    void this.#supervise();
  }

  async #supervise(): Promise<void> {
    await this.member.agent.ended;
    await pause(RESTART_AFTER_MILLIS);
    if (this.#supervised) this.startAgent();
  }

  /** SIGKILL of the agent; nobody starts it again. */
  async killAgent(): Promise<void> {
    this.#supervised = false;
    await this.member.killAgent();
  }

  /** SIGKILL of the agent, which its supervisor starts again. */
  async crashAgent(): Promise<void> {
    await this.member.killAgent();
  }

  /** The same, with something more in the environment of the next agent. */
  async crashAgentInto(environment: Readonly<Record<string, string>>): Promise<void> {
    this.#supervised = false;
    await this.member.killAgent();
    this.startAgent(environment);
  }

  /** SIGTERM: the agent stops Postgres and hands over, and stays away. */
  async stopAgent(graceMillis: Millis): Promise<void> {
    this.#supervised = false;
    await this.member.stop(graceMillis);
  }

  /** A power cut. */
  async kill(): Promise<void> {
    this.#supervised = false;
    await Promise.all([this.member.kill(), this.consul.kill()]);
  }

  /** Nobody starts the agent again; for the end of everything. */
  abandon(): void {
    this.#supervised = false;
  }

  #guardian(): RunningProcess[] {
    return this.member
      .processes()
      .filter(({ argv }) => argv.some((argument) => argument.endsWith('guardian/main.js')));
  }

  /** Postmaster and all of its children. */
  #postgres(): RunningProcess[] {
    const others = new Set([this.member.agent.pid, ...this.#guardian().map(({ pid }) => pid)]);
    return this.member.processes().filter(({ pid }) => !others.has(pid));
  }

  signalGuardian(signal: NodeJS.Signals): void {
    const [guardian] = this.#guardian();
    if (guardian === undefined) throw new Error(`${this.name}: no guardian runs`);
    signalProcess(guardian.pid, signal);
  }

  signalPostmaster(signal: NodeJS.Signals): void {
    const pid = postmasterPid(this.member.dataDir);
    if (pid === undefined) throw new Error(`${this.name}: no postmaster runs`);
    signalProcess(pid, signal);
  }

  signalPostgres(signal: NodeJS.Signals): void {
    for (const { pid } of this.#postgres()) signalProcess(pid, signal);
  }

  /** Everything that runs on the host stands still; what is born meanwhile, too. */
  freeze(): void {
    for (let round = 0; round < FREEZE_ROUNDS; round += 1) this.#signalAll('SIGSTOP');
  }

  thaw(): void {
    this.#signalAll('SIGCONT');
  }

  #signalAll(signal: NodeJS.Signals): void {
    for (const { pid } of [...this.member.processes(), ...processesOf(this.#consulFolder)]) {
      signalProcess(pid, signal);
    }
  }

  /** Uses up the filesystem that the member is on. */
  fillDisk(): void {
    fillDisk(this.member.folder);
  }

  emptyDisk(): void {
    emptyDisk(this.member.folder);
  }
}
