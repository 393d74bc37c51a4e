import { NO_HOST_MEMORY } from '../../src/ports/host-state.ts';
import type { HostMemory } from '../../src/core/view.ts';
import { FakeWatchdog } from '../harness/fake-watchdog.ts';
import { AgentProcess } from './agent-process.ts';
import { ABSENT_DISK } from './disk.ts';
import type { Disk } from './disk.ts';
import { PostgresServer } from './postgres-server.ts';
import { SimProcess } from './process.ts';
import type { HostClock } from './process.ts';
import type { Identity, Machine, Resident, Scene, Trouble, Watch } from './model.ts';

/** More than fit into one fence budget. */
const STANDSTILLS_KEPT = 20;

/** A2 allows 50 ms for each lease, and none is longer than 10 s. */
const LOST_TIME_MILLIS = 45;
const LOSES_TIME_EVERY_MILLIS = 25_000;
/** Between the end of an agent and its start by a supervisor. */
const RESTART_PAUSE_MILLIS = 100;
const REBOOT_MILLIS = 4000;

const calm = (): Trouble => ({
  startFailShare: 0,
  cloneFailShare: 0,
  rewindFailShare: 0,
  promoteDelayMillis: 0,
  fenceMillis: 25,
  guardianLateMillis: 2,
  startDelayMillis: 0,
  stopDelayMillis: 0,
  refusesStop: false,
  diskFull: false,
  timerLateMillis: 0,
});

/** One machine: a clock, a disk, Postgres, its guardian, an agent, and a client that writes. */
export class Host implements Machine {
  readonly world: Scene;
  readonly name: string;
  readonly address: string;
  readonly clock: HostClock;
  readonly system: SimProcess;
  readonly postgres: PostgresServer;
  readonly trouble: Trouble = calm();
  readonly watchdog: FakeWatchdog;
  disk: Disk = ABSENT_DISK;
  facts: HostMemory = NO_HOST_MEMORY;
  over: string | undefined;
  readonly witnessed = new Set<string>();
  guardian: Watch | undefined;
  agent: AgentProcess | undefined;
  up = true;
  #agents = 0;
  #agentWanted = false;
  #scrapped = false;
  #lostTimeAt = -Infinity;
  /** World time of the last standstills, oldest first; the last one may not have ended. */
  #standstills: { readonly from: number; to: number }[] = [];

  constructor(world: Scene, identity: Identity, clock: HostClock) {
    this.world = world;
    this.name = identity.name;
    this.address = identity.address;
    this.clock = clock;
    this.system = new SimProcess(world.queue, this.clock);
    this.postgres = new PostgresServer(this);
    this.watchdog = new FakeWatchdog(
      (delay, callback) => world.queue.after(delay, callback),
      () => {
        this.#reset();
      },
    );
  }

  /** Powered on and not paused as a whole. */
  get running(): boolean {
    return this.up && !this.system.frozen;
  }

  /** As a supervisor does: at once, or when the agent that is leaving has left. */
  startAgent(): void {
    this.#agentWanted = true;
    if (!this.up || this.agent !== undefined) return;
    this.#agents += 1;
    this.agent = new AgentProcess(this, `${this.address}.${this.#agents}`);
    if (this.system.frozen) this.agent.process.freeze('host');
    this.agent.start();
  }

  /** SIGKILL: Postgres and its guardian go on. */
  killAgent(): void {
    this.#agentWanted = false;
    this.agent?.kill();
    this.agent = undefined;
  }

  stopAgent(): void {
    this.#agentWanted = false;
    this.agent?.stop();
  }

  detachAgent(): void {
    this.#agentWanted = false;
    this.agent?.detach();
  }

  agentLeft(resident: Resident): void {
    if (this.agent !== resident) return;
    const wanted = this.#agentWanted;
    this.killAgent();
    if (!wanted) return;
    this.system.after(RESTART_PAUSE_MILLIS, () => {
      this.startAgent();
    });
  }

  agentGaveUp(resident: Resident): void {
    if (this.agent === resident) this.killAgent();
  }

  /** The guardian dies, and Postgres with it. */
  killGuardian(): void {
    const guardian = this.guardian;
    if (guardian === undefined) return;
    this.guardian = undefined;
    this.witnessed.clear();
    guardian.die();
    this.agent?.guardianLost();
  }

  /** Power is lost: what was acknowledged is on disk, all else is gone. */
  crash(): void {
    if (!this.up) return;
    this.killAgent();
    this.up = false;
    this.guardian?.process.kill();
    this.guardian = undefined;
    this.over = undefined;
    this.witnessed.clear();
    this.watchdog.powerOff();
    this.postgres.kill(true);
  }

  /** By its watchdog device, whatever its processes are at. */
  #reset(): void {
    this.world.trace(this.address, 'is reset by its watchdog');
    this.crash();
    this.world.queue.after(REBOOT_MILLIS, () => {
      this.boot();
    });
  }

  /** For good: nobody switches it on again. */
  scrap(): void {
    this.crash();
    this.#scrapped = true;
  }

  boot(): void {
    if (this.up || this.#scrapped) return;
    this.up = true;
    this.clock.reboot();
    this.startAgent();
  }

  /** The whole machine stands still, its clock goes on. */
  freeze(): void {
    if (!this.system.frozen) {
      this.#standstills = this.#standstills.slice(1 - STANDSTILLS_KEPT);
      this.#standstills.push({ from: this.world.now, to: Infinity });
    }
    this.system.freeze('host');
    this.postgres.process.freeze('host');
    this.guardian?.process.freeze('host');
    this.agent?.process.freeze('host');
  }

  /** A hypervisor gives the time to another machine: this one and its clock stand still (A2). */
  loseTime(): void {
    if (this.world.now - this.#lostTimeAt < LOSES_TIME_EVERY_MILLIS) return;
    const millis = this.world.chance() * LOST_TIME_MILLIS;
    this.#lostTimeAt = this.world.now;
    this.freeze();
    this.world.queue.after(millis, () => {
      this.clock.lose(millis);
      this.thaw();
    });
  }

  thaw(): void {
    const standstill = this.#standstills.at(-1);
    if (standstill?.to === Infinity) standstill.to = this.world.now;
    // A3: a deadline that passed meanwhile is seen to before any client is served.
    this.guardian?.process.thaw('host');
    this.guardian?.checkDeadline();
    this.system.thaw('host');
    this.postgres.process.thaw('host');
    this.agent?.process.thaw('host');
  }

  ranMillisSince(moment: number): number {
    const { now } = this.world;
    const since = now - this.clock.toWorld(this.clock.now() - moment);
    const still = this.#standstills.map(({ from, to }) =>
      Math.max(0, Math.min(to, now) - Math.max(from, since)),
    );
    return now - since - still.reduce((sum, part) => sum + part, 0);
  }

  /** Everything that the faults of a run have changed is well again. */
  heal(): void {
    Object.assign(this.trouble, calm());
    this.watchdog.trouble = undefined;
    this.guardian?.process.thaw('guards');
    this.agent?.process.thaw('guards');
    this.thaw();
    this.postgres.process.thaw('hung');
    this.agent?.process.thaw('agent');
    if (this.up) this.startAgent();
    else this.boot();
  }
}
