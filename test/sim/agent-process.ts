import { Agent } from '../../src/agent/agent.ts';
import type { Command, CommandAnswer } from '../../src/agent/facade.ts';
import { breachesOf } from '../../src/core/invariants.ts';
import type { ClusterStore } from '../../src/ports/cluster-store.ts';
import type { Logger } from '../../src/ports/telemetry.ts';
import type { FakeStore } from '../harness/fake-store.ts';
import { seededRandom } from '../harness/fake-store-clock.ts';
import { GuardianPort } from './guardian-port.ts';
import { hostStatePort } from './host-state-port.ts';
import type { Machine, Resident } from './model.ts';
import { peersPort } from './peers-port.ts';
import { postgresPort } from './postgres-port.ts';
import { SimProcess } from './process.ts';

/** One run of the shipped agent, with the world behind its ports. */
export class AgentProcess implements Resident {
  readonly process: SimProcess;
  readonly agent: Agent;
  readonly label: string;
  /** World time. */
  readonly startedAt: number;
  readonly #host: Machine;
  readonly #store: FakeStore;
  readonly #guardian: GuardianPort;

  constructor(host: Machine, label: string) {
    this.label = label;
    this.startedAt = host.world.now;
    this.#host = host;
    const { world } = host;
    this.process = new SimProcess(world.queue, host.clock);
    this.process.late = () => {
      const { timerLateMillis } = host.trouble;
      return timerLateMillis === 0 ? 0 : world.chance() * timerLateMillis;
    };
    this.#store = world.connectStore(host, this.process);
    this.#guardian = new GuardianPort(host, this.process);
    const seed = Math.floor(world.chance() * 2 ** 32);
    this.agent = new Agent({
      clock: this.process.clock(),
      random: seededRandom(seed),
      store: inProcess(this.#store, this.process),
      postgres: postgresPort(host, this.process),
      guardian: this.#guardian,
      watchdog: {
        prepare: async (settings, timeoutMillis) =>
          this.process.answer(5, () => host.watchdog.prepare(settings, timeoutMillis)),
      },
      peers: peersPort(host, this.process),
      hostState: hostStatePort(host, this.process),
      settings: world.settingsFor(host),
      logger: logger(host, label),
      meter: { count: () => undefined, observe: () => undefined },
      registry: undefined,
      version: 'sim',
      decided: (view, memory, decision) => {
        for (const { id, claim, fault } of breachesOf(view, decision)) {
          const who = `${label} by ${decision.rule}`;
          world.violation(id, `${who}: ${fault} (${claim})`);
        }
        world.onDecision(host, { view, memory, decision });
      },
    });
  }

  start(): void {
    const { world, address } = this.#host;
    world.trace(address, `agent ${this.label} starts`);
    void this.agent.start().then((started) => {
      if (!started.ok) this.#gives(started.error.message);
    });
    void this.agent.ended().then((end) => {
      if (end.kind === 'twin') this.#gives(end.message);
      if (end.kind === 'kept') this.#keeps();
      else this.#leave();
    });
  }

  /** It goes because another lives under its name, and is not started again by itself. */
  #gives(why: string): void {
    const host = this.#host;
    const { world, address, name } = host;
    world.trace(address, `agent gives up: ${why}`);
    if (!world.hasTwin(name)) world.violation('bug', `agent of ${address}: ${why}`);
    host.agentGaveUp(this);
  }

  /** SIGTERM. */
  stop(): void {
    this.process.run(() => {
      this.agent.shutdown();
    });
  }

  /** Lets everything run on for the next agent. */
  detach(): void {
    this.process.run(() => {
      void this.agent.detach().then(() => {
        this.#host.agentLeft(this);
      });
    });
  }

  dropConsulConnections(): void {
    this.#store.close();
  }

  #leave(): void {
    const host = this.#host;
    host.world.trace(host.address, 'agent has left');
    void this.agent.close().then(() => {
      host.agentLeft(this);
    });
  }

  /** Maintenance mode: what runs goes on. */
  #keeps(): void {
    const host = this.#host;
    host.world.trace(host.address, 'agent has left, and all goes on without it');
    void this.agent.detach().then(() => {
      host.agentLeft(this);
    });
  }

  submit(command: Command): void {
    const { world, address } = this.#host;
    world.trace(address, `command ${JSON.stringify(command)}`);
    this.process.run(() => {
      void this.agent.submit(command).then((answer: CommandAnswer) => {
        world.trace(address, `answer to ${command.kind}: ${answer.kind} ${describe(answer)}`);
        world.onAnswer(command, answer);
      });
    });
  }

  guardianLost(): void {
    this.#guardian.lost();
  }

  kill(): void {
    this.process.kill();
    this.#store.close();
  }
}

const describe = (answer: CommandAnswer): string => ('message' in answer ? answer.message : '');

/** Answers reach the agent only while it lives and runs. */
function inProcess(store: ClusterStore, process: SimProcess): ClusterStore {
  return {
    read: (timeoutMillis) => process.deliver(store.read(timeoutMillis)),
    watch: (index, waitMillis, signal) => process.deliver(store.watch(index, waitMillis, signal)),
    commit: (write, timeoutMillis) => process.deliver(store.commit(write, timeoutMillis)),
    openSession: (timeoutMillis) => process.deliver(store.openSession(timeoutMillis)),
    renewSession: (session, timeoutMillis) =>
      process.deliver(store.renewSession(session, timeoutMillis)),
    closeSession: (session, timeoutMillis) =>
      process.deliver(store.closeSession(session, timeoutMillis)),
  };
}

function logger(host: Machine, label: string): Logger {
  return {
    log: (level, message, fields) => {
      if (level === 'debug') return;
      const said = fields === undefined ? '' : ` ${JSON.stringify(fields)}`;
      host.world.trace(label, `${message}${said}`);
      if (fields?.['code'] === 'bug') host.world.violation('bug', `${label}: ${message}${said}`);
    },
  };
}
