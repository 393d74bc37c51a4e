import type { DataDirectory } from '../../src/core/postgres.ts';
import type { ControlState } from '../../src/core/postgres.ts';
import type { Lsn } from '../../src/core/lsn.ts';
import type { Branch } from './wal.ts';

/** What lies in a data directory. Survives everything but its replacement. */
export type Disk =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'unfinished';
      readonly work: 'clone' | 'initialise' | 'rewind';
      readonly systemIdentifier: string | undefined;
    }
  | ClusterDisk;

export interface ClusterDisk {
  readonly kind: 'cluster';
  readonly systemIdentifier: string;
  readonly state: ControlState;
  readonly branch: Branch;
  readonly end: Lsn;
  /** Log before this has been recycled. */
  readonly oldestWal: Lsn;
  /** Highest timeline number of which a history file lies here. */
  readonly highestTimeline: number;
  readonly checkpointTimeline: number;
  readonly checkpointLsn: Lsn;
  /** No connection is accepted before recovery has come this far. */
  readonly consistentFrom: Lsn;
  readonly standbySignal: boolean;
  readonly backupLabel: boolean;
}

export const ABSENT_DISK: Disk = { kind: 'absent' };

export function inspect(disk: Disk): DataDirectory {
  switch (disk.kind) {
    case 'absent':
      return { kind: 'absent' };
    case 'unfinished':
      return disk;
    case 'cluster':
      return {
        kind: 'cluster',
        majorVersion: 15,
        control: {
          systemIdentifier: disk.systemIdentifier,
          state: disk.state,
          timeline: disk.checkpointTimeline,
          checkpointLsn: disk.checkpointLsn,
          redoLsn: disk.checkpointLsn,
          minimumRecoveryLsn: disk.consistentFrom,
          minimumRecoveryTimeline: disk.branch.timeline,
          rewindable: true,
        },
        standbySignal: disk.standbySignal,
        backupLabel: disk.backupLabel,
      };
  }
}
