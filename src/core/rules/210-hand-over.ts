import { rankPeers } from '../candidates.ts';
import { heardSince } from '../canvass.ts';
import type { Rule, Verdict } from '../decision.ts';
import { control, holdsLease, role } from '../facts.ts';
import { lacksConsul } from '../failsafe.ts';
import type { Handover } from '../handover.ts';
import type { Memory } from '../memory.ts';
import { plus, since } from '../time.ts';
import type { Millis } from '../time.ts';
import type { View } from '../view.ts';

/** Nobody writes meanwhile: a stop that hangs (on a stuck walsender, say) is not waited for longer. */
const STOP_PATIENCE_MILLIS: Millis = 20_000;
/** A heartbeat that is late is waited for with Postgres down, a Consul that is away is not. */
const CONSUL_PATIENCE_MILLIS: Millis = 1000;

/** Checkpoint, drain, stop, release: each step is planned from what is seen now. */
export const handOver: Rule = {
  number: 210,
  name: 'hand-over',
  when: 'a planned hand-over is under way on the leader',
  evaluate(view, memory) {
    const handover = memory.handover;
    if (handover === undefined) return undefined;
    if (!holdsLease(view))
      return brokenOff(view, memory, handover, 'the lease ended during the hand-over');
    const to = handover.candidate ?? 'whoever can take it';
    switch (role(view)) {
      case 'primary':
        return whilePrimary(view, memory, handover, to);
      case 'down':
        return whenDown(view, memory, handover, to);
      case 'standby':
      case 'unanswered':
      case 'unknown':
      case 'foreign':
        return {
          why: `hands over to ${to}: Postgres is stopped`,
          actions: [{ kind: 'stop', mode: 'fast' }],
        };
    }
  },
};

function whilePrimary(view: View, memory: Memory, handover: Handover, to: string): Verdict {
  if (!handover.checkpointed) {
    return {
      why: `hands over to ${to}: checkpoint first, so that the stop is short`,
      actions: [{ kind: 'checkpoint' }],
      memory: { ...memory, handover: { ...handover, checkpointed: true } },
    };
  }
  const lost = handover.drainedAt === undefined ? lookAgain(view, memory, handover, to) : undefined;
  if (lost !== undefined) return lost;
  const drainedAt = handover.drainedAt ?? view.now;
  const hangs = since(drainedAt, view.now) > STOP_PATIENCE_MILLIS;
  return {
    why: hangs
      ? `hands over to ${to}: Postgres does not stop, it is stopped at once and starts again here`
      : `hands over to ${to}: writes are refused, Postgres is stopped`,
    actions: [{ kind: 'stop', mode: hangs ? 'immediate' : 'fast' }],
    memory: { ...memory, handover: { ...handover, drainedAt } },
  };
}

/** A checkpoint takes its time: nobody is kept from writing for a candidate that has gone meanwhile. */
function lookAgain(
  view: View,
  memory: Memory,
  handover: Handover,
  to: string,
): Verdict | undefined {
  const { lastJob } = view;
  const checkpointedAt = lastJob?.kind === 'checkpoint' ? lastJob.endedAt : handover.since;
  if (handover.candidate === undefined) return undefined;
  const why = `hands over to ${to}: asks once more who can take over`;
  const heard = heardSince(view, checkpointedAt, why);
  if ('why' in heard) return heard;
  const ranked = rankPeers(view, heard.opinions);
  if (ranked.eligible.some(({ name }) => name === handover.candidate)) return undefined;
  if (handover.reason === 'shutdown') {
    const candidate = ranked.eligible[0]?.name;
    return {
      why: `${handover.candidate} cannot take over any more: hands over to ${candidate ?? 'whoever can take it'}`,
      memory: { ...memory, handover: { ...handover, candidate } },
      wakeAt: view.now,
    };
  }
  const fault = ranked.refused.find(({ name }) => name === handover.candidate)?.why ?? 'is gone';
  return brokenOff(
    view,
    memory,
    handover,
    `hand-over broken off before writes were refused: ${handover.candidate} ${fault}`,
  );
}

/** Nobody could see a release. */
function withoutConsul(view: View, memory: Memory, handover: Handover): Verdict {
  const { now, postmaster } = view;
  const endedAt = postmaster.kind === 'down' ? postmaster.exitedAt : undefined;
  const until = plus(endedAt ?? handover.drainedAt ?? handover.since, CONSUL_PATIENCE_MILLIS);
  if (now >= until)
    return brokenOff(
      view,
      memory,
      handover,
      'hand-over broken off: Consul does not answer any more',
    );
  return {
    why: 'hands over: Postgres is down, the release waits for Consul to answer',
    waitsFor: ['Consul to acknowledge a heartbeat'],
    wakeAt: until,
  };
}

function whenDown(view: View, memory: Memory, handover: Handover, to: string): Verdict {
  const directory = control(view);
  if (
    directory === undefined ||
    view.directory === undefined ||
    view.directory.askedAt < handover.since
  ) {
    return {
      why: `hands over to ${to}: reads where its log ended`,
      waitsFor: ['pg_controldata'],
      wakeAt: plus(view.now, 50),
    };
  }
  if (directory.state !== 'shut down') {
    // It did not end cleanly: the standbys may lack its last records, so it recovers and keeps the lease.
    return brokenOff(
      view,
      memory,
      handover,
      `hand-over broken off: Postgres ended as "${directory.state}", not cleanly; it starts again`,
    );
  }
  if (
    handover.reason !== 'shutdown' &&
    view.held !== undefined &&
    lacksConsul(view.held, view.now)
  ) {
    return withoutConsul(view, memory, handover);
  }
  const took = Math.round(since(handover.drainedAt ?? handover.since, view.now));
  return {
    why: `hands over to ${to}: Postgres stopped ${took} ms after writes ended, the lease is released`,
    actions: [
      { kind: 'release', handoff: handover.candidate, lsn: directory.checkpointLsn, exclude: [] },
      { kind: 'answer', commandId: handover.commandId, answer: { kind: 'handing-over' } },
    ],
    memory: { ...memory, handover: undefined, manual: asked(view, handover) },
  };
}

/** Once it has been asked for, the former leader comes back as a standby, whatever is paused. */
const asked = (view: View, { reason }: Handover): Memory['manual'] =>
  reason === 'shutdown' ? undefined : { what: 'hand-over', since: view.now };

function brokenOff(view: View, memory: Memory, handover: Handover, why: string): Verdict {
  const message = `${why}; the member stays as it is and recovers`;
  return {
    why,
    actions: [
      { kind: 'answer', commandId: handover.commandId, answer: { kind: 'failed', message } },
    ],
    memory: {
      ...memory,
      handover: undefined,
      // What was never told to stop has nothing to come back from.
      manual: handover.drainedAt === undefined ? memory.manual : asked(view, handover),
    },
  };
}
