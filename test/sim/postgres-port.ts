import { formatLsn } from '../../src/core/lsn.ts';
import { done, fail, ok } from '../../src/core/result.ts';
import type { Result } from '../../src/core/result.ts';
import type { FollowTarget, Postgres } from '../../src/ports/postgres.ts';
import { inspect } from './disk.ts';
import type { Machine } from './model.ts';
import { clone, initialise, rewind, sourceOf } from './postgres-tools.ts';
import type { SimProcess } from './process.ts';
import { leftByNumber, switchesOf } from './wal.ts';

const SERVER_VERSION = 150_000;

/** The Postgres of a host as one agent of it sees it. */
export function postgresPort(host: Machine, agent: SimProcess): Postgres {
  const { world, postgres } = host;
  const aim = (target: FollowTarget): void => {
    postgres.receiver.aim(target.upstream?.name);
  };
  const soon = <T>(produce: () => T): Promise<T> => agent.answer(0.5 + world.chance() * 4, produce);
  const needsUp = (act: () => void): Result<void> => {
    if (!postgres.serving) return fail('postgres-unreachable', 'Postgres does not answer');
    act();
    return done;
  };
  return {
    configure: () => undefined,
    preflight: () => soon(() => ok({ serverVersionNumber: SERVER_VERSION })),
    inspectDataDirectory: () => soon(() => inspect(host.disk)),
    probe: () => soon(() => postgres.probe()),
    initialise: () => initialise(host, agent),
    clone: (source, _target, options) => clone(host, agent, source.name, options),
    rewind: (source) => rewind(host, agent, source.name),
    recoverSingleUser: async () => {
      await soon(() => undefined);
      return agent.answer(200 + world.chance() * 800, () => recover(host));
    },
    readSourceHistory: (source, timeoutMillis) =>
      answerOf(host, agent, source.name, timeoutMillis, (theirs) =>
        ok({
          systemIdentifier: theirs.systemIdentifier,
          timeline: theirs.branch.timeline,
          switches: switchesOf(theirs.branch),
        }),
      ),
    walAvailable: async (source, timeline, from, timeoutMillis) => {
      const answer = await answerOf(host, agent, source.name, timeoutMillis, (theirs) => {
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
    prepareStart: (target) =>
      soon(() => {
        if (postgres.up) return fail('postgres-running', 'Postgres runs');
        if (host.disk.kind !== 'cluster')
          return fail('postgres-data-unfinished', `the directory is ${host.disk.kind}`);
        host.disk = { ...host.disk, standbySignal: true };
        aim(target);
        return ok({ executable: 'postgres', args: [], env: {}, dataDir: '/data', logFile: '/log' });
      }),
    promote: () => soon(() => needsUp(() => postgres.promote())),
    protectPrimary: () =>
      soon(() => {
        if (host.disk.kind === 'cluster') host.disk = { ...host.disk, standbySignal: true };
        return done;
      }),
    follow: (target) => soon(() => needsUp(() => aim(target))),
    applySettings: (target) => soon(() => needsUp(() => aim(target))),
    setSynchronousStandbyNames: (value) =>
      soon(() => {
        postgres.synchronousStandbyNames = value ?? '';
        return done;
      }),
    checkpoint: () =>
      agent.answer(20 + world.chance() * 400, () => needsUp(() => postgres.checkpoint())),
    finishBootstrap: () =>
      agent.answer(100 + world.chance() * 400, () =>
        postgres.writable
          ? needsUp(() => postgres.write(400))
          : fail('postgres-roles-failed', 'not a primary'),
      ),
    reconcileSlots: (wanted) =>
      soon(() =>
        needsUp(() => {
          for (const name of wanted) postgres.slots.add(name);
        }),
      ),
    setAside: () =>
      soon(() => {
        if (postgres.up) return fail('postgres-running', 'Postgres runs');
        host.disk = { kind: 'absent' };
        return ok({ movedTo: '/data.aside' });
      }),
    runHook: () => soon(() => done),
    close: () => Promise.resolve(),
  };
}

function ownHistory(host: Machine, timeline: number): ReturnType<typeof switchesOf> {
  const { disk } = host;
  return disk.kind === 'cluster' && disk.branch.timeline === timeline
    ? switchesOf(disk.branch)
    : [];
}

function recover(host: Machine): Result<void> {
  const { disk, postgres } = host;
  if (postgres.up || disk.kind !== 'cluster')
    return fail('postgres-recovery-failed', 'there is nothing to recover');
  host.disk = { ...disk, state: 'shut down', checkpointTimeline: disk.branch.timeline };
  return done;
}

/** Asks another server over the network; silence ends with the bound. */
async function answerOf<T>(
  host: Machine,
  agent: SimProcess,
  name: string,
  timeoutMillis: number,
  produce: (theirs: ReturnType<Machine['postgres']['disk']>) => Result<T>,
): Promise<Result<T>> {
  const { world } = host;
  const there = world.hosts.find((other) => other.name === name);
  const silent = there === undefined || !there.running || !world.network.connects(host.name, name);
  if (silent)
    return agent.answer(timeoutMillis, () => fail('postgres-source-unanswered', 'no answer'));
  return agent.answer(2 * world.network.delay() + 1, () => {
    const source = sourceOf(host, name);
    return source === undefined
      ? fail('postgres-source-unanswered', `${name} does not answer`)
      : produce(source.postgres.disk());
  });
}
