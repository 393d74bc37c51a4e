import { formatLsn } from '../../src/core/lsn.ts';
import type { ProbeAnswer } from '../../src/core/postgres.ts';
import { done, fail, ok } from '../../src/core/result.ts';
import type { Result } from '../../src/core/result.ts';
import type { CommitHold, FollowTarget, Postgres } from '../../src/ports/postgres.ts';
import { inspect } from './disk.ts';
import type { Machine, Server } from './model.ts';
import { clone, initialise, rewind, sourceOf } from './postgres-tools.ts';
import type { SimProcess } from './process.ts';
import { leftByNumber, switchesOf } from './wal.ts';

const SERVER_VERSION = 150_000;
/** What a statement may take, where the caller gives no bound. */
const STATEMENT_MILLIS = 5000;
const RELEASE_MILLIS = 2;
const LOOK_EVERY_MILLIS = 4;
const ROOMY_BYTES = 1e12;
const NO_SPACE = fail('disk-full', 'no space left on device');

/** The Postgres of a host as one agent of it sees it. */
export function postgresPort(host: Machine, agent: SimProcess): Postgres {
  const { world, postgres } = host;
  const aim = (target: FollowTarget): void => {
    postgres.receiver.aim(target.upstream?.host, target.slotName);
  };
  const soon = <T>(produce: () => T): Promise<T> => agent.answer(0.5 + world.chance() * 4, produce);
  /** A server that was stopped answers nothing before it goes on. */
  const ask = <T>(boundMillis: number, produce: () => T, silent: () => T): Promise<T> =>
    postgres.process.frozen && postgres.up
      ? agent.answer(boundMillis, () => (postgres.process.frozen ? silent() : produce()))
      : soon(produce);
  const statement = (act: () => Result<void>, boundMillis = STATEMENT_MILLIS) =>
    ask<Result<void>>(
      boundMillis,
      () => (postgres.serving ? act() : fail('postgres-unreachable', 'Postgres does not answer')),
      () => fail('postgres-timeout', `Postgres has not answered within ${boundMillis} ms`),
    );
  return {
    configure: () => undefined,
    preflight: () => soon(() => ok({ serverVersionNumber: SERVER_VERSION })),
    inspectDataDirectory: () => soon(() => inspect(host.disk)),
    freeBytes: () => soon(() => (host.trouble.diskFull ? 0 : ROOMY_BYTES)),
    probe: (timeoutMillis) =>
      ask<ProbeAnswer>(
        timeoutMillis,
        () => postgres.probe(),
        () => ({ kind: 'silent', reason: 'no answer in time' }),
      ),
    initialise: () => initialise(host, agent),
    clone: (source, _target, options) => clone(host, agent, source.host, options),
    rewind: (source) => rewind(host, agent, source.host),
    recoverSingleUser: async () => {
      await soon(() => undefined);
      return agent.answer(200 + world.chance() * 800, () => recover(host));
    },
    readSourceHistory: (source, timeoutMillis) =>
      answerOf(host, agent, source.host, timeoutMillis, (theirs) =>
        ok({
          systemIdentifier: theirs.systemIdentifier,
          timeline: theirs.branch.timeline,
          switches: switchesOf(theirs.branch),
        }),
      ),
    walAvailable: async (source, timeline, from, timeoutMillis) => {
      const answer = await answerOf(host, agent, source.host, timeoutMillis, (theirs) => {
        if (from < theirs.oldestWal) return ok('no' as const);
        const left = leftByNumber(timeline, theirs.branch);
        if (left === undefined) return ok('unknown' as const);
        const limit = left === 'current' ? theirs.end : left;
        return ok(from <= limit ? ('yes' as const) : ('unknown' as const));
      });
      return answer.ok ? answer.value : 'unknown';
    },
    readOwnHistory: (timeline) => soon(() => ownHistory(host, timeline)),
    readEndOfWal: () =>
      soon(() => {
        const { disk } = host;
        return disk.kind === 'cluster'
          ? ok({ timeline: disk.branch.timeline, lsn: formatLsn(disk.end) })
          : fail('postgres-wal-not-read', 'there is no log');
      }),
    hasUnarchivedLog: () => soon(() => false),
    prepareStart: (target) =>
      soon(() => {
        if (postgres.up) return fail('postgres-running', 'Postgres runs');
        if (host.trouble.diskFull) return NO_SPACE;
        if (host.disk.kind !== 'cluster')
          return fail('postgres-data-unfinished', `the directory is ${host.disk.kind}`);
        host.disk = { ...host.disk, standbySignal: true };
        aim(target);
        return ok({ executable: 'postgres', args: [], env: {}, dataDir: '/data', logFile: '/log' });
      }),
    promote: () => statement(() => (postgres.promote(), done)),
    protectPrimary: () =>
      soon(() => {
        if (host.trouble.diskFull) return NO_SPACE;
        if (host.disk.kind === 'cluster') host.disk = { ...host.disk, standbySignal: true };
        return done;
      }),
    follow: (target) => statement(() => (aim(target), done)),
    applySettings: (target) => statement(() => (aim(target), done)),
    setSynchronousStandbyNames: (value) =>
      soon(() => {
        if (host.trouble.diskFull) return NO_SPACE;
        postgres.setSynchronousStandbyNames(value ?? '');
        return done;
      }),
    holdCommits: (timeoutMillis) => holdCommits(postgres, agent, timeoutMillis),
    releaseCommits: () => agent.answer(RELEASE_MILLIS, () => (postgres.brake.set(false), done)),
    checkpoint: async (timeoutMillis) => {
      const millis = 20 + world.chance() * 400;
      postgres.brake.checkpointsFor(millis);
      await agent.answer(millis, () => undefined);
      return statement(() => (postgres.checkpoint() ? done : NO_SPACE), timeoutMillis);
    },
    finishBootstrap: () =>
      agent.answer(100 + world.chance() * 400, () => {
        if (!postgres.writable || host.trouble.diskFull)
          return fail('postgres-roles-failed', 'not a primary that can write');
        postgres.write(400);
        return done;
      }),
    reconcileSlots: (wanted, mayDrop) =>
      statement(() => {
        postgres.replication.reconcile(wanted, mayDrop, postgres.disk().end);
        return done;
      }),
    setAside: () =>
      soon(() => {
        if (postgres.up) return fail('postgres-running', 'Postgres runs');
        host.disk = { kind: 'absent' };
        postgres.replication.forgetSlots();
        return ok({ movedTo: '/data.aside' });
      }),
    runHook: () => soon(() => done),
    close: () => Promise.resolve(),
  };
}

/** Looks again and again whether a commit waits, as long as it may. */
async function holdCommits(
  postgres: Server,
  agent: SimProcess,
  timeoutMillis: number,
): Promise<CommitHold> {
  await agent.answer(RELEASE_MILLIS, () => {
    if (postgres.up) postgres.brake.set(true);
  });
  for (let left = timeoutMillis; left > 0; left -= LOOK_EVERY_MILLIS) {
    if (postgres.serving && postgres.state === 'recovery') return { kind: 'standby' };
    if (postgres.holdsCommits) {
      const ended = new Promise<void>((resolve) => {
        postgres.onLetGo(resolve);
      });
      return { kind: 'waits', ended: agent.deliver(ended) };
    }
    await agent.answer(LOOK_EVERY_MILLIS, () => undefined);
  }
  return { kind: 'unseen', why: 'no commit was seen waiting' };
}

function ownHistory(host: Machine, timeline: number): ReturnType<typeof switchesOf> {
  const { disk } = host;
  return disk.kind === 'cluster' && disk.branch.timeline === timeline
    ? switchesOf(disk.branch)
    : [];
}

function recover(host: Machine): Result<void> {
  const { disk, postgres } = host;
  if (postgres.up || disk.kind !== 'cluster' || host.trouble.diskFull)
    return fail('postgres-recovery-failed', 'there is nothing to recover');
  host.disk = { ...disk, state: 'shut down', checkpointTimeline: disk.branch.timeline };
  return done;
}

/** Asks another server over the network; silence ends with the bound. */
async function answerOf<T>(
  host: Machine,
  agent: SimProcess,
  address: string,
  timeoutMillis: number,
  produce: (theirs: ReturnType<Machine['postgres']['disk']>) => Result<T>,
): Promise<Result<T>> {
  const { world } = host;
  const there = world.hosts.find((other) => other.address === address);
  const silent =
    there === undefined ||
    !there.running ||
    there.postgres.process.frozen ||
    !world.network.connects(host.address, address);
  if (silent)
    return agent.answer(timeoutMillis, () => fail('postgres-source-unanswered', 'no answer'));
  return agent.answer(2 * world.network.delay() + 1, () => {
    const source = sourceOf(host, address);
    return source === undefined
      ? fail('postgres-source-unanswered', `${address} does not answer`)
      : produce(source.postgres.disk());
  });
}
