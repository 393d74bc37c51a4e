import { branchesOf, promotedGeneration, receivedBranch } from '../../../src/core/branch.ts';
import { ownEligibility } from '../../../src/core/candidates.ts';
import type { Ancestor, Generation } from '../../../src/core/cluster.ts';
import { lsn } from '../../../src/core/lsn.ts';
import { planRejoin } from '../../../src/core/rejoin.ts';
import type { RejoinPlan } from '../../../src/core/rejoin.ts';
import { follow } from '../../../src/core/rules/530-follow.ts';
import { relate } from '../../../src/core/timeline.ts';
import type { History } from '../../../src/core/timeline.ts';
import type { HostMemory, View } from '../../../src/core/view.ts';
import { someSettings } from '../../harness/settings.ts';
import {
  aDiagnosis,
  aGeneration,
  aMember,
  aMemory,
  aRecord,
  aView,
  leaderKey,
  NOW,
  present,
  seen,
  someControl,
  standby,
  SYSTEM,
} from '../../harness/views.ts';
import { commonEnd, historyOf, isPrefix, pathOf, rewindPoint } from './logs.ts';
import type { Branch, Log } from './logs.ts';

/** Members, their logs as they really are, and what each remembers and Consul records of them. */
export interface Host {
  readonly name: string;
  log: Log;
  memory: HostMemory;
  /** It streams from the present leader. */
  attached: boolean;
}

export type Step =
  | { readonly kind: 'write'; readonly bytes: number }
  | { readonly kind: 'receive'; readonly who: number; readonly share: number }
  | { readonly kind: 'join'; readonly who: number; readonly running: boolean }
  | { readonly kind: 'take-over'; readonly who: number }
  | { readonly kind: 'promote'; readonly skip: number }
  | { readonly kind: 'record' };

const KEPT = 32;

export class LineageWorld {
  readonly hosts: readonly Host[];
  generation: Generation;
  /** Who followed or led what it must not. */
  readonly strayed: string[] = [];
  /** Who was rewound to a position after the one where the logs part. */
  readonly halfRewound: string[] = [];
  readonly joined: Record<RejoinPlan['kind'], number> = {
    start: 0,
    rewind: 0,
    reclone: 0,
    wait: 0,
    refuse: 0,
  };
  readonly #recordsAtOnce: boolean;
  readonly #branches: Branch[] = [];
  #leader: Host;
  #primary = true;

  /** `recordsAtOnce`: who is promoted again under its generation writes it down before anything else. */
  constructor(members: number, recordsAtOnce: boolean) {
    this.#recordsAtOnce = recordsAtOnce;
    const root: Branch = { number: 1, id: 'g1', parent: undefined, from: 0n };
    this.#branches.push(root);
    this.hosts = Array.from({ length: members }, (_, at) => ({
      name: `pg${at + 1}`,
      log: { branch: root, end: 100n },
      memory: {
        floor: { n: 1, id: 'g1' },
        promotions: at === 0 ? [{ id: 'g1', timeline: 1, switchLsn: lsn(1n) }] : [],
        followed: { id: 'g1', timeline: 1, from: 'pg1' },
        systemIdentifier: SYSTEM,
        founding: undefined,
      },
      attached: at > 0,
    }));
    this.#leader = this.#at(0);
    this.generation = aGeneration({
      n: 1,
      id: 'g1',
      holder: 'pg1',
      timeline: 1,
      switchLsn: lsn(1n),
      ancestors: [],
    });
  }

  take(step: Step): void {
    switch (step.kind) {
      case 'write':
        if (this.#primary) this.#extend(BigInt(step.bytes));
        return;
      case 'receive':
        return this.#receive(this.#at(step.who), step.share);
      case 'join':
        return this.#join(this.#at(step.who), step.running);
      case 'take-over':
        return this.#takeOver(this.#at(step.who));
      case 'promote':
        return this.#promote(step.skip);
      case 'record':
        return this.#record();
    }
  }

  #at(index: number): Host {
    const host = this.hosts[index % this.hosts.length];
    if (host === undefined) throw new Error('no hosts');
    return host;
  }

  #extend(bytes: bigint): void {
    const { branch, end } = this.#leader.log;
    this.#leader.log = { branch, end: end + bytes };
  }

  /** The leader's log up to somewhere between what the member has and all of it. */
  #receive(host: Host, share: number): void {
    if (host === this.#leader || !host.attached || !this.#primary) return;
    const { log } = this.#leader;
    const more = ((log.end - host.log.end) * BigInt(share)) / 100n;
    const end = host.log.end + more;
    const on = pathOf(log.branch).findLast((branch) => branch.from < end) ?? log.branch;
    host.log = { branch: on, end };
    this.#noteTimeline(host);
  }

  /**
   * As the agent does it: see host-memory.ts, noteTimeline, and the action note-followed. The leader
   * lives on for a heartbeat, which makes the guess a certainty (confirmTimeline).
   */
  #noteTimeline(host: Host): void {
    const { number } = host.log.branch;
    const { followed } = host.memory;
    const branch = receivedBranch(host.memory, this.generation, number);
    if (followed !== undefined && branch !== undefined && number > followed.timeline)
      host.memory = {
        ...host.memory,
        followed: {
          id: branch.id,
          timeline: number,
          from: followed.from,
          lineage: [{ id: followed.id, timeline: followed.timeline }, ...(followed.lineage ?? [])],
        },
      };
    if (number === this.generation.timeline) this.#noteFollowed(host);
  }

  #noteFollowed(host: Host): void {
    const { id, timeline } = this.generation;
    if (timeline === 0) return;
    host.memory = {
      ...host.memory,
      followed: { id, timeline, from: this.#leader.name, lineage: branchesOf(this.generation) },
    };
  }

  #viewOf(host: Host): View {
    const { log, memory } = host;
    const record = aRecord({
      generation: present(this.generation, 15),
      leader: leaderKey(this.generation.holder),
      members: this.hosts.map(({ name }) =>
        aMember(name, name === this.#leader.name && this.#primary ? { role: 'primary' } : {}),
      ),
      status: { kind: 'absent' },
    });
    return aView(
      seen(record, 100),
      standby({
        timeline: log.branch.number,
        receivedLsn: lsn(log.end),
        replayedLsn: lsn(log.end),
        receiverState: undefined,
      }),
      { self: host.name, host: memory, settings: someSettings({ name: host.name }) },
    );
  }

  #serves(): boolean {
    return this.#primary && this.generation.timeline > 0;
  }

  #join(host: Host, running: boolean): void {
    if (host === this.#leader || !this.#serves()) return;
    const source = historyOf(this.#leader.log);
    if (running && this.#keepsRunning(host)) {
      // PostgreSQL itself compares numbers and positions, and streams when they agree.
      const { branch, end } = host.log;
      if (relate(branch.number, lsn(end), source).kind === 'ancestor')
        this.#attach(host, 'streams');
      else host.attached = false;
      return;
    }
    this.#rejoin(host, source);
  }

  #keepsRunning(host: Host): boolean {
    const verdict = follow.evaluate(this.#viewOf(host), aMemory({ upstream: undefined }));
    return verdict?.actions?.some((action) => action.kind === 'follow') === true;
  }

  #rejoin(host: Host, source: History): void {
    const { log, memory } = host;
    const plan = planRejoin({
      control: someControl({ timeline: log.branch.number, minimumRecoveryTimeline: 0 }),
      diagnosis: aDiagnosis({
        at: NOW,
        sourceName: this.#leader.name,
        generationId: this.generation.id,
        own: { timeline: log.branch.number, endLsn: lsn(log.end) },
        source: { systemIdentifier: SYSTEM, ...source },
      }),
      generation: this.generation,
      host: memory,
      policy: someSettings({ policy: { recloneOnDivergence: true } }).policy,
      rewindFailed: undefined,
    });
    this.joined[plan.kind] += 1;
    if (plan.kind === 'start') this.#attach(host, 'is started');
    if (plan.kind === 'rewind') this.#rewind(host);
    if (plan.kind === 'reclone') this.#copy(host);
  }

  #attach(host: Host, how: string): void {
    if (!isPrefix(host.log, this.#leader.log)) {
      this.strayed.push(
        `${host.name} ${how} behind ${this.#leader.name}, whose log it does not share`,
      );
    }
    host.attached = true;
    this.#noteFollowed(host);
    this.#noteTimeline(host);
  }

  #rewind(host: Host): void {
    const point = rewindPoint(host.log, this.#leader.log);
    if (point === undefined) return;
    const common = commonEnd(host.log, this.#leader.log);
    if (point > common) {
      this.halfRewound.push(
        `${host.name} is rewound to ${point}, and shares the log up to ${common} only`,
      );
    }
    this.#copy(host);
  }

  #copy(host: Host): void {
    host.log = this.#leader.log;
    host.attached = true;
    host.memory = { ...host.memory, promotions: [] };
    this.#noteFollowed(host);
  }

  #takeOver(host: Host): void {
    if (host === this.#leader || ownEligibility(this.#viewOf(host), false).kind !== 'eligible')
      return;
    const promoted = promotedGeneration(this.generation);
    const is = (branch: Branch): boolean =>
      branch.id === promoted?.id && branch.number === promoted.timeline;
    const newest = this.#branches.find(is);
    // It has the newest promotion, or its log ends before that: then it is only behind.
    const behind = newest !== undefined && isPrefix(host.log, { branch: newest, end: newest.from });
    if (newest !== undefined && !behind && !pathOf(host.log.branch).some(is)) {
      this.strayed.push(
        `${host.name} leads, and has left the history of ${newest.id}/${newest.number}`,
      );
    }
    const n = this.generation.n + 1;
    this.generation = {
      n,
      id: `g${n}`,
      holder: host.name,
      timeline: 0,
      switchLsn: lsn(0n),
      ancestors: this.#ancestorsFor(host),
    };
    this.#leader = host;
    this.#primary = false;
    for (const each of this.hosts) each.attached = false;
    host.memory = { ...host.memory, floor: { n, id: `g${n}` } };
  }

  /** As the winner writes them: see takeover.ts, ancestorsOf. */
  #ancestorsFor(host: Host): readonly Ancestor[] {
    const { generation } = this;
    const { promotions, followed } = host.memory;
    const { number } = host.log.branch;
    const received =
      followed === undefined || followed.timeline > number
        ? []
        : [followed, receivedBranch(host.memory, generation, number)];
    const all: readonly Ancestor[] = [
      ...[...(generation.timeline > 0 ? [generation] : []), ...generation.ancestors].filter(
        ({ timeline }) => timeline <= number,
      ),
      ...promotions.map((entry) => ({ ...entry, holder: host.name })),
      ...received.flatMap((branch) =>
        branch === undefined ? [] : [{ ...branch, switchLsn: lsn(0n), holder: followed?.from }],
      ),
    ];
    return all
      .filter(
        (entry, at) =>
          at ===
          all.findIndex(({ id, timeline }) => id === entry.id && timeline === entry.timeline),
      )
      .toSorted((a, b) => b.timeline - a.timeline)
      .slice(0, KEPT)
      .map(({ id, holder, timeline, switchLsn }) => ({ id, holder, timeline, switchLsn }));
  }

  #promote(skip: number): void {
    const { log, memory } = this.#leader;
    const { id } = this.generation;
    const branch: Branch = {
      number: log.branch.number + 1 + skip,
      id,
      parent: log.branch,
      from: log.end,
    };
    this.#branches.push(branch);
    this.#leader.log = { branch, end: log.end + 1n };
    const promotion = { id, timeline: branch.number, switchLsn: lsn(branch.from) };
    this.#leader.memory = {
      ...memory,
      promotions: [promotion, ...memory.promotions],
      followed: {
        id,
        timeline: branch.number,
        from: this.#leader.name,
        lineage: branchesOf(this.generation),
      },
    };
    const again = this.#primary;
    this.#primary = true;
    if (again && this.#recordsAtOnce) this.#record();
  }

  #record(): void {
    const { branch } = this.#leader.log;
    const { generation } = this;
    if (!this.#primary || branch.id !== generation.id || branch.number === generation.timeline)
      return;
    const { id, holder, timeline, switchLsn } = generation;
    const former = timeline > 0 ? [{ id, holder, timeline, switchLsn }] : [];
    this.generation = {
      ...generation,
      timeline: branch.number,
      switchLsn: lsn(branch.from),
      ancestors: [...former, ...generation.ancestors].slice(0, KEPT),
    };
  }
}
