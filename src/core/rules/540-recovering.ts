import type { Rule, Verdict } from '../decision.ts';
import { control, leaderToFollow, role, upstreamOf } from '../facts.ts';
import type { LeaderToFollow } from '../facts.ts';
import type { Memory } from '../memory.ts';
import { pagesAhead, strayFrom } from '../rejoin.ts';
import { plus, since } from '../time.ts';
import type { Instant, Millis } from '../time.ts';
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
    const { postmaster, silence } = view;
    if (postmaster.kind !== 'up' || role(view) !== 'unanswered') return undefined;
    const current = silence === undefined ? leaderToFollow(view) : undefined;
    return current === undefined ? undefined : judge(view, memory, current, postmaster.startedAt);
  },
};

function judge(
  view: View,
  memory: Memory,
  current: LeaderToFollow,
  startedAt: Instant,
): Verdict | undefined {
  const source = upstreamOf(current.member);
  if (source === undefined) return undefined;
  const { probe } = view;
  const heard = view.answeredAt ?? startedAt;
  const said = probe === undefined || probe.value.kind === 'answered' ? '' : probe.value.reason;
  const forMillis = since(heard, view.now);
  const why = `Postgres has recovered for ${Math.round(forMillis / 1000)} s and does not accept connections yet (${said})`;
  const diagnosis = diagnosisOf(view, current, startedAt);
  const looked = diagnosis === undefined ? 0 : since(heard, diagnosis.at);
  const next = plus(
    heard,
    Math.max(PATIENCE_MILLIS, Math.min(2 * looked, looked + LOOK_AGAIN_MAX_MILLIS)),
  );
  if (view.now >= next) {
    return {
      why: `${why}: looks why`,
      actions: [{ kind: 'diagnose', source, generationId: current.generation.id }],
    };
  }
  if (diagnosis === undefined) return waits(why, next, 'the end of recovery');
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
function diagnosisOf(
  { diagnosis }: View,
  current: LeaderToFollow,
  startedAt: Instant,
): Diagnosis | undefined {
  if (diagnosis?.generationId !== current.generation.id) return undefined;
  return diagnosis.at >= startedAt ? diagnosis : undefined;
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
