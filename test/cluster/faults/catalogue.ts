import type { Fault } from '../fault.ts';
import { CONSUL_FAULTS } from './consul.ts';
import { MACHINE_FAULTS } from './machine.ts';
import { NETWORK_FAULTS } from './network.ts';
import { OPERATOR_FAULTS } from './operator.ts';
import { PROCESS_FAULTS } from './processes.ts';

/** Everything that is done to a cluster, by its name. */
export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...NETWORK_FAULTS,
  ...CONSUL_FAULTS,
  ...MACHINE_FAULTS,
  ...OPERATOR_FAULTS,
];
