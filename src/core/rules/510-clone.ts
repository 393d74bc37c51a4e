import type { Rule, Verdict } from '../decision.ts';
import {
  AMNESIA,
  clusterIdentifier,
  hasAmnesia,
  holdsLease,
  leader,
  leaseIsOver,
  record,
  role,
  targetOf,
  upstreamOf,
} from '../facts.ts';
import type { Leader } from '../facts.ts';
import type { Memory } from '../memory.ts';
import { plus } from '../time.ts';
import type { DataDirectory, Upstream } from '../postgres.ts';
import type { View } from '../view.ts';

const PAUSE_STEP_MILLIS = 2000;
const PAUSE_MAX_MILLIS = 60_000;

/** A member without data, or whose data are to be replaced, gets the leader's. */
export const clone: Rule = {
  number: 510,
  name: 'clone',
  when: 'this member has no data (or they are to be replaced) and the cluster exists',
  evaluate(view, memory) {
    const directory = view.directory?.value;
    const replace = memory.reclone;
    if (holdsLease(view) || directory === undefined) return undefined;
    if (!isToBeCloned(view, memory, directory)) return undefined;
    if (role(view) !== 'down') {
      return {
        why: `the data directory is replaced (${replace?.why ?? directory.kind}): Postgres is stopped`,
        actions: [{ kind: 'stop', mode: 'fast' }],
      };
    }
    // Whose log the copy would be, a record of the past does not tell.
    if (hasAmnesia(view)) {
      return {
        why: AMNESIA,
        waitsFor: ['the record of the newest leader'],
      };
    }
    const source = cloneSource(view, memory);
    if ('why' in source) return source;
    return {
      why: `clones from ${source.name}${replace === undefined ? '' : `: ${replace.why}`}`,
      actions: [{ kind: 'clone', source, target: targetOf(view, source) }],
    };
  },
};

function isToBeCloned(view: View, memory: Memory, directory: DataDirectory): boolean {
  if (directory.kind === 'absent' || directory.kind === 'unfinished') return true;
  if (memory.reclone === undefined) return false;
  // The only copy there is must not wait for a leader that may never come: it is a candidate again.
  const isServed = leader(view)?.serves === true && !hasAmnesia(view) && !leaseIsOver(view);
  return directory.kind !== 'cluster' || isServed;
}

function cloneSource(view: View, memory: Memory): Upstream | Verdict {
  const current = leader(view);
  if (clusterIdentifier(view) === undefined || current === undefined || !current.serves) {
    return { why: 'waits for a leader to clone from', waitsFor: [missing(view, current)] };
  }
  const failures = memory.failures?.kind === 'clone' ? memory.failures : undefined;
  if (failures !== undefined) {
    const next = plus(
      failures.lastAt,
      Math.min(PAUSE_STEP_MILLIS * 2 ** (failures.count - 1), PAUSE_MAX_MILLIS),
    );
    if (view.now < next) {
      return {
        why: `the clone failed ${failures.count} times; tries again`,
        wakeAt: next,
        waitsFor: ['the pause before the next try; the log says what failed'],
      };
    }
  }
  const cluster = record(view);
  const willing = cluster?.members.find(
    (member) =>
      member.key.tags?.['clonefrom'] === true &&
      member.key.state === 'running' &&
      member.key.name !== view.self,
  );
  const chosen =
    memory.reclone?.fromLeader === true || failures !== undefined
      ? current.member
      : (willing ?? current.member);
  const upstream = chosen === undefined ? undefined : upstreamOf(chosen);
  if (upstream === undefined)
    return {
      why: `the address of ${current.name} is not known`,
      waitsFor: [`key members/${current.name}`],
    };
  return upstream;
}

const missing = (view: View, current: Leader | undefined): string => {
  if (clusterIdentifier(view) === undefined) return 'the cluster to be initialised';
  return current === undefined ? 'a leader' : `${current.name} to finish its promotion`;
};
