import type { Rule, Verdict } from '../decision.ts';
import {
  control,
  hasAmnesia,
  holdsLease,
  leader,
  leaseIsOver,
  role,
  upstreamOf,
} from '../facts.ts';
import type { Leader } from '../facts.ts';
import type { Memory } from '../memory.ts';
import type { Upstream } from '../postgres.ts';
import { pagesAhead, strayFrom } from '../rejoin.ts';
import { plus, since } from '../time.ts';
import type { Millis } from '../time.ts';
import type { Diagnosis, View } from '../view.ts';

/** A start takes seconds, and with much log to replay any time. */
const PATIENCE_MILLIS: Millis = 10_000;
const LOOK_AGAIN_MAX_MILLIS: Millis = 600_000;

/**
 * A standby that does not accept connections replays its log, or waits for log that it will never
 * get. It is left alone, and looked into when it has recovered for ten seconds, for twenty, forty.
 */
export const recovering: Rule = {
  number: 540,
  name: 'recovering',
  when: 'the own Postgres recovers as a standby and does not answer yet, and another member leads',
  evaluate(view, memory) {
    if (holdsLease(view) || role(view) !== 'unanswered') return undefined;
    if (view.postmaster.kind !== 'up' || view.silence !== undefined) return undefined;
    const current = leader(view);
    if (current?.member === undefined || !current.serves || current.name === view.self)
      return undefined;
    if (hasAmnesia(view) || leaseIsOver(view)) return undefined;
    const source = upstreamOf(current.member);
    return source === undefined ? undefined : judge(view, memory, current, source);
  },
};

function judge(view: View, memory: Memory, current: Leader, source: Upstream): Verdict | undefined {
  const { postmaster, probe } = view;
  if (postmaster.kind !== 'up') return undefined;
  const heard = view.answeredAt ?? postmaster.startedAt;
  const said = probe === undefined || probe.value.kind === 'answered' ? '' : probe.value.reason;
  const forMillis = since(heard, view.now);
  const why = `Postgres has recovered for ${Math.round(forMillis / 1000)} s and does not accept connections yet (${said})`;
  const diagnosis = diagnosisOf(view, current);
  const looked = diagnosis === undefined ? 0 : since(heard, diagnosis.at);
  const next = plus(
    heard,
    Math.max(PATIENCE_MILLIS, Math.min(2 * looked, looked + LOOK_AGAIN_MAX_MILLIS)),
  );
  if (diagnosis === undefined || view.now >= next) {
    if (view.now < next) return waits(why, next, 'the end of recovery');
    return {
      why: `${why}: looks why`,
      actions: [{ kind: 'diagnose', source, generationId: current.generation.id }],
    };
  }
  const hopeless = obstacle(view, diagnosis);
  if (hopeless === undefined) {
    const evidence = diagnosis.why ?? `nothing speaks against its log and that of ${current.name}`;
    return waits(why, next, `the end of recovery; ${evidence}`);
  }
  if (hopeless.kind === 'stray')
    return { why: `${hopeless.why}: stops to rejoin`, actions: [{ kind: 'stop', mode: 'fast' }] };
  return {
    why: hopeless.why,
    memory: { ...memory, reclone: { since: view.now, why: hopeless.why, fromLeader: true } },
    wakeAt: view.now,
  };
}

const waits = (why: string, wakeAt: NonNullable<Verdict['wakeAt']>, what: string): Verdict => ({
  why,
  waitsFor: [what],
  wakeAt,
});

/** Of this leader, and of this very run of the server. */
function diagnosisOf({ diagnosis, postmaster }: View, current: Leader): Diagnosis | undefined {
  if (diagnosis === undefined || postmaster.kind !== 'up') return undefined;
  const isCurrent = diagnosis.generationId === current.generation.id;
  return isCurrent && diagnosis.at >= postmaster.startedAt ? diagnosis : undefined;
}

function obstacle(
  view: View,
  diagnosis: Diagnosis,
): { readonly kind: 'stray' | 'no-log'; readonly why: string } | undefined {
  const own = control(view);
  const { source, sourceName } = diagnosis;
  const ahead =
    own === undefined || source === undefined ? undefined : pagesAhead(own, source, sourceName);
  const stray = strayFrom(diagnosis) ?? ahead;
  if (stray !== undefined) return { kind: 'stray', why: stray };
  // What the leader has recycled may still be in the archive.
  const archived = view.settings.postgres.recoveryConf['restore_command'] !== undefined;
  if (diagnosis.walAvailable !== 'no' || archived) return undefined;
  return {
    kind: 'no-log',
    why: `${sourceName} no longer has the log that this member needs to become consistent`,
  };
}
