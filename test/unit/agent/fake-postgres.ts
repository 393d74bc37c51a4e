import { done, fail, ok } from '../../../src/core/result.ts';
import type { Postgres } from '../../../src/ports/postgres.ts';
import { END } from '../../harness/views.ts';
import type { FakeHost } from './fake-host.ts';
import type { FakeLife } from './fake-life.ts';

const unavailable = fail('not-modelled', 'this server cannot be asked for that');

/** The Postgres of a host, as one run of an agent reaches it. */
export function fakePostgres(host: FakeHost, life: FakeLife): Postgres {
  const soon = async <T>(act: () => T): Promise<T> => life.hears(Promise.resolve().then(act));
  const succeeds = async (): Promise<typeof done> => soon(() => done);
  const fails = async (): Promise<typeof unavailable> => soon(() => unavailable);
  return {
    configure: () => undefined,
    preflight: async () => soon(() => ok({ serverVersionNumber: 150_000 })),
    inspectDataDirectory: async () => soon(() => host.directory()),
    freeBytes: async () => soon(() => host.freeBytes),
    probe: async () => soon(() => host.probe()),
    initialise: fails,
    clone: fails,
    rewind: fails,
    recoverSingleUser: fails,
    readSourceHistory: fails,
    walAvailable: async () => soon(() => 'unknown' as const),
    readOwnHistory: async (timeline) =>
      soon(() =>
        timeline === host.timeline ? [{ parent: timeline - 1, switchLsn: END, reason: '' }] : [],
      ),
    readEndOfWal: fails,
    hasUnarchivedLog: async () => soon(() => false),
    prepareStart: async () =>
      soon(() =>
        ok({ executable: 'postgres', args: [], env: {}, dataDir: '/data', logFile: '/log' }),
      ),
    promote: async () => soon(() => host.promote()),
    protectPrimary: succeeds,
    follow: succeeds,
    applySettings: succeeds,
    setSynchronousStandbyNames: async (names) => soon(() => host.setNames(names)),
    holdCommits: async (timeoutMillis) => host.holdCommits(life, timeoutMillis),
    releaseCommits: async () => soon(() => host.releaseCommits()),
    checkpoint: succeeds,
    finishBootstrap: fails,
    reconcileSlots: succeeds,
    setAside: fails,
    runHook: succeeds,
    close: async () => soon(() => undefined),
  };
}
