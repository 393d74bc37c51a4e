import type { Rule, Verdict } from '../decision.ts';
import {
  AMNESIA,
  control,
  holdsLease,
  hasAmnesia,
  leader,
  leaseIsOver,
  record,
  role,
  targetOf,
  upstreamOf,
} from '../facts.ts';
import type { Leader } from '../facts.ts';
import type { Memory } from '../memory.ts';
import { planRejoin, strayFrom } from '../rejoin.ts';
import { plus, since } from '../time.ts';
import type { ControlData, Upstream } from '../postgres.ts';
import type { Diagnosis, View } from '../view.ts';

/** A diagnosis speaks about a leader that may move on; after this it is made anew. */
const DIAGNOSIS_FRESH_MILLIS = 5000;
const PAUSE_MAX_MILLIS = 15_000;
const REWIND_TRIES_MAX = 3;
/** Readers are served without Consul too; but first it gets the time to say whom to follow. */
const STORE_PATIENCE_MILLIS = 5000;

/** A stopped member comes back by evidence: as it is, rewound, or as a new clone. */
export const rejoin: Rule = {
  number: 520,
  name: 'rejoin',
  when: 'the own Postgres is down with data, and another member leads or nobody does',
  evaluate(view, memory) {
    const own = control(view);
    if (holdsLease(view) || role(view) !== 'down' || own === undefined) return undefined;
    const pause = pauseAfterFailure(view, memory);
    if (pause !== undefined) return pause;
    return withoutLeader(view) ?? behindLeader(view, memory, own);
  },
};

/** Nobody to follow (yet): wait for one, or start alone, so that there is a candidate at all. */
function withoutLeader(view: View): Verdict | undefined {
  const current = leader(view);
  if (record(view) === undefined) {
    const until = plus(view.startedAt, STORE_PATIENCE_MILLIS);
    if (view.now >= until) return startAlone(view, 'Consul cannot be read');
    return {
      why: 'waits for Consul before it starts Postgres',
      waitsFor: ['an answer of Consul'],
      wakeAt: until,
    };
  }
  if (current === undefined) return startAlone(view, 'nobody leads');
  if (current.name === view.self || leaseIsOver(view)) {
    return startAlone(view, `the lease of ${current.name} is over`);
  }
  if (current.serves && !hasAmnesia(view)) return undefined;
  return {
    why: current.serves ? AMNESIA : `${current.name} was given the lease and does not serve yet`,
    waitsFor: [
      current.serves ? 'the record of the newest leader' : `${current.name} to be primary`,
    ],
    wakeAt: plus(view.now, 200),
  };
}

function behindLeader(view: View, memory: Memory, own: ControlData): Verdict | undefined {
  const current = leader(view);
  if (current?.member === undefined) return undefined;
  const source = upstreamOf(current.member);
  if (source === undefined) {
    return {
      why: `the address of ${current.name} is not known`,
      waitsFor: [`key members/${current.name}`],
    };
  }
  const directory = view.directory?.value;
  if (directory?.kind === 'cluster' && directory.backupLabel) {
    return freshClone(view, memory, current, source);
  }
  return behind(view, memory, current, source, own);
}

const MADE_BY: Readonly<Record<string, string>> = {
  clone: ' from a fresh clone',
  rewind: ' after the rewind',
};

/** A copy that was never started has nothing of its own: it is started, or made anew. */
function freshClone(view: View, memory: Memory, current: Leader, source: Upstream): Verdict {
  const { diagnosis } = view;
  const about = diagnosis?.generationId === current.generation.id ? diagnosis : undefined;
  const stray = about === undefined ? undefined : strayFrom(about);
  if (stray !== undefined) {
    return {
      why: `is cloned anew: ${stray}`,
      memory: { ...memory, reclone: { since: view.now, why: stray, fromLeader: true } },
      wakeAt: view.now,
    };
  }
  return {
    why: `follows ${source.name}${MADE_BY[view.lastJob?.kind ?? ''] ?? ': begins at the backup label of its data directory'}`,
    actions: [{ kind: 'start', target: targetOf(view, source) }],
  };
}

function startAlone(view: View, reason: string): Verdict {
  return {
    why: `${reason}: Postgres is started as a standby, so that it can be read and be a candidate`,
    actions: [{ kind: 'start', target: targetOf(view, undefined) }],
  };
}

/** About this leader, this generation, and the data directory as it is now. */
function freshDiagnosis(view: View, current: Leader, source: Upstream): Diagnosis | undefined {
  const { diagnosis, lastJob } = view;
  if (diagnosis === undefined || diagnosis.sourceName !== source.name) return undefined;
  if (diagnosis.generationId !== current.generation.id) return undefined;
  if (since(diagnosis.at, view.now) > DIAGNOSIS_FRESH_MILLIS) return undefined;
  const touched =
    lastJob !== undefined && lastJob.kind !== 'diagnose' && diagnosis.at < lastJob.endedAt;
  return touched ? undefined : diagnosis;
}

/** A rewind that changed nothing may be tried again; after any other the directory is not to be trusted. */
function rewindFailure(memory: Memory, generationId: string): string | undefined {
  const failures = memory.failures?.kind === 'rewind' ? memory.failures : undefined;
  const failed = failures?.under === generationId ? failures : undefined;
  const again = failed?.code === 'postgres-rewind-not-begun' && failed.count < REWIND_TRIES_MAX;
  return again ? undefined : failed?.code;
}

/** A rewind that went well and left nothing to start from had nothing to do: the next one would not either. */
const rewindIdle = (
  { rewindUnder, failures }: Memory,
  { generation }: Leader,
): string | undefined =>
  rewindUnder === generation.id && failures?.kind !== 'rewind'
    ? 'it found nothing to do'
    : undefined;

function behind(
  view: View,
  memory: Memory,
  current: Leader,
  source: Upstream,
  own: ControlData,
): Verdict {
  const diagnosis = freshDiagnosis(view, current, source);
  if (diagnosis === undefined) {
    return {
      why: `compares its history with that of ${source.name}`,
      actions: [{ kind: 'diagnose', source, generationId: current.generation.id }],
    };
  }
  const plan = planRejoin({
    control: own,
    diagnosis,
    generation: current.generation,
    host: view.host,
    policy: view.settings.policy,
    rewindFailed: rewindFailure(memory, current.generation.id) ?? rewindIdle(memory, current),
  });
  switch (plan.kind) {
    case 'start':
      return {
        why: `follows ${source.name}: ${plan.why}`,
        actions: [{ kind: 'start', target: targetOf(view, source) }],
      };
    case 'rewind':
      return {
        why: `is rewound to ${source.name}: ${plan.why}`,
        actions: [{ kind: 'rewind', source }],
        memory: { ...memory, rewindUnder: current.generation.id },
      };
    case 'reclone':
      return {
        why: `is cloned anew: ${plan.why}`,
        memory: {
          ...memory,
          failures: undefined,
          reclone: { since: view.now, why: plan.why, fromLeader: true },
        },
        wakeAt: view.now,
      };
    case 'wait':
      return {
        why: plan.why,
        waitsFor: [`${source.name} to answer`],
        wakeAt: plus(diagnosis.at, 1000),
      };
    case 'refuse':
      return { why: plan.why, waitsFor: [plan.remedy] };
  }
}

function pauseAfterFailure(view: View, memory: Memory): Verdict | undefined {
  const failures = memory.failures;
  if (failures === undefined || !['start', 'diagnose', 'rewind'].includes(failures.kind)) {
    return undefined;
  }
  const next = plus(failures.lastAt, Math.min(500 * 2 ** (failures.count - 1), PAUSE_MAX_MILLIS));
  if (view.now >= next) return undefined;
  return {
    why: `${failures.kind} failed ${failures.count} times; tries again`,
    waitsFor: ['the pause before the next try; the log says what failed'],
    wakeAt: next,
  };
}
