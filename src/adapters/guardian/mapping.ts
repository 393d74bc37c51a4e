import { instant } from '../../core/time.ts';
import type { WireExit, WireLease, WireState } from '../../guardian/protocol.ts';
import type { ArmedLease, GuardianState, PostmasterExit } from '../../ports/guardian.ts';

const leaseOf = (wire: WireLease): ArmedLease => ({ ...wire, deadline: instant(wire.deadline) });

const exitOf = (wire: WireExit): PostmasterExit => ({
  at: instant(wire.at),
  code: wire.code ?? undefined,
  signal: wire.signal ?? undefined,
  cause: wire.cause,
});

/** What a guardian said, in the port's terms. */
export function stateOf(wire: WireState): GuardianState {
  const { postmaster, armed } = wire;
  return {
    kind: 'present',
    postmaster:
      postmaster.kind === 'up'
        ? { kind: 'up', pid: postmaster.pid, startedAt: instant(postmaster.startedAt) }
        : { kind: 'down', exit: postmaster.exit === null ? undefined : exitOf(postmaster.exit) },
    armed: armed === null ? undefined : leaseOf(armed),
  };
}
