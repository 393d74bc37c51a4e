import { instant } from '../../core/time.ts';
import type { WireExit, WireLease, WirePostmaster, WireState } from '../../guardian/protocol.ts';
import type {
  ArmedLease,
  GuardianState,
  PostmasterExit,
  PostmasterState,
} from '../../ports/guardian.ts';

const leaseOf = (wire: WireLease): ArmedLease => ({ ...wire, deadline: instant(wire.deadline) });

const exitOf = (wire: WireExit): PostmasterExit => ({
  at: instant(wire.at),
  code: wire.code ?? undefined,
  signal: wire.signal ?? undefined,
  cause: wire.cause,
});

const postmasterOf = (wire: WirePostmaster): PostmasterState =>
  wire.kind === 'up'
    ? { kind: 'up', pid: wire.pid, startedAt: instant(wire.startedAt) }
    : { kind: 'down', exit: wire.exit === null ? undefined : exitOf(wire.exit) };

/** What a guardian said, in the port's terms. */
export const stateOf = (wire: WireState): GuardianState => ({
  kind: 'present',
  postmaster: postmasterOf(wire.postmaster),
  armed: wire.armed === null ? undefined : leaseOf(wire.armed),
  over: wire.over ?? undefined,
  watchdog: wire.watchdog ?? undefined,
});
