import type { Strike } from './ground.ts';
import type { Trouble } from './model.ts';

/** Sets some trouble for a while. */
const troubled =
  (
    begin: (between: (least: number, most: number) => number) => Partial<Trouble>,
    end: Partial<Trouble>,
  ): Strike =>
  ({ draw, during }, host, millis) => {
    Object.assign(
      host.trouble,
      begin((least, most) => draw.between(least, most)),
    );
    during(millis * 2, () => Object.assign(host.trouble, end));
  };

/** What befalls one server. */
export const POSTGRES_FAULTS = {
  'crash-postgres': (_ground, host) => {
    host.postgres.kill(true);
  },
  /** Stopped, and perhaps continued: it answers nobody, and only SIGKILL ends it. */
  'hang-postgres': ({ during }, host, millis) => {
    host.postgres.process.freeze('hung');
    during(millis * 2, () => {
      host.postgres.process.thaw('hung');
    });
  },
  'slow-promotion': troubled((between) => ({ promoteDelayMillis: between(500, 8000) }), {
    promoteDelayMillis: 0,
  }),
  'failing-jobs': troubled(
    (between) => ({
      startFailShare: between(0, 1),
      cloneFailShare: between(0, 1),
      rewindFailShare: between(0, 1),
    }),
    { startFailShare: 0, cloneFailShare: 0, rewindFailShare: 0 },
  ),
  /** A long crash recovery, or a slow disk. */
  'slow-start': troubled((between) => ({ startDelayMillis: between(500, 15_000) }), {
    startDelayMillis: 0,
  }),
  'slow-stop': troubled((between) => ({ stopDelayMillis: between(500, 12_000) }), {
    stopDelayMillis: 0,
  }),
  'refused-stop': troubled(() => ({ refusesStop: true }), { refusesStop: false }),
  'disk-full': troubled(() => ({ diskFull: true }), { diskFull: false }),
} as const satisfies Readonly<Record<string, Strike>>;
