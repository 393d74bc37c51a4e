import type { Decision } from '../core/decision.ts';
import type { Memory } from '../core/memory.ts';
import type { View } from '../core/view.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { ClusterStore } from '../ports/cluster-store.ts';
import type { Guardian } from '../ports/guardian.ts';
import type { HostState } from '../ports/host-state.ts';
import type { Peers } from '../ports/peers.ts';
import type { Postgres } from '../ports/postgres.ts';
import type { ServiceRegistry } from '../ports/service-registry.ts';
import type { SettingsSource } from '../ports/settings-source.ts';
import type { Logger, Meter } from '../ports/telemetry.ts';
import type { WatchdogDevice } from '../ports/watchdog.ts';

/** The whole world of one agent. Several agents run in one process by having several of these. */
export interface AgentPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: ClusterStore;
  readonly postgres: Postgres;
  readonly guardian: Guardian;
  readonly watchdog: WatchdogDevice;
  readonly peers: Peers;
  readonly hostState: HostState;
  readonly settings: SettingsSource;
  readonly logger: Logger;
  readonly meter: Meter;
  /** Undefined: the member is not registered as a service. */
  readonly registry: ServiceRegistry | undefined;
  readonly version: string;
  /** Told of every decision with what it was made from, before it is acted on: for replay and for checks. */
  readonly decided?: (view: View, memory: Memory, decision: Decision) => void;
}
