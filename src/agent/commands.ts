import { precondition } from '../core/action.ts';
import type { Answer } from '../core/action.ts';
import { indexOf, valueOf } from '../core/cluster.ts';
import type { FailoverRequest } from '../core/cluster.ts';
import { clusterIdentifier, holdsLease, leader, leaseIsOver, role, server } from '../core/facts.ts';
import type { JsonObject } from '../core/json.ts';
import { plus, since } from '../core/time.ts';
import type { Instant, Millis } from '../core/time.ts';
import type { PendingCommand } from '../core/view.ts';
import { mergePatch } from '../core/merge-patch.ts';
import { sleep } from '../ports/clock.ts';
import type { WriteAnswer } from '../ports/cluster-store.ts';
import type { Command, CommandAnswer } from './facade.ts';
import { noteWrite, readStore } from './ingest.ts';
import { outcomeOf } from './left-request.ts';
import type { LeftRequest } from './left-request.ts';
import { restartCondition } from './restart-condition.ts';
import type { AgentState } from './state.ts';

const PLANNED_TIMEOUT_MILLIS: Millis = 120_000;
const SUCCESSOR_TIMEOUT_MILLIS: Millis = 30_000;

interface Waiting {
  readonly command: PendingCommand;
  readonly resolve: (answer: CommandAnswer) => void;
  /** The lease has been given away: the answer follows when somebody else serves. */
  handedOverAt: Instant | undefined;
  drainedAt: Instant | undefined;
}

/** Operators' requests: one at a time, a fact for decisions, answered by what decisions say. */
export class Commands {
  readonly #state: AgentState;
  readonly #reload: () => Promise<CommandAnswer>;
  #nextId = 1;
  #waiting: Waiting | undefined;
  #cancelTimer: (() => void) | undefined;
  /** ModifyIndex of the `failover` key that was last acted on. */
  #storeRequestIndex: number | undefined;
  /** That has come to its end, so the key goes: whoever leads next would act on it again. */
  #isStoreRequestOver = false;
  #clearing = false;
  #clearFailover: (index: number) => Promise<boolean> = () => Promise.resolve(true);

  constructor(state: AgentState, reload: () => Promise<CommandAnswer>) {
    this.#state = state;
    this.#reload = reload;
  }

  setClearFailover(clear: (index: number) => Promise<boolean>): void {
    this.#clearFailover = clear;
  }

  async submit(command: Command): Promise<CommandAnswer> {
    switch (command.kind) {
      case 'reload':
        return this.#reload();
      case 'patch-config':
        return this.#changeConfig((before) => mergePatch(before, command.patch));
      case 'replace-config':
        return this.#changeConfig(() => command.config);
      case 'switchover':
        return this.#switchover(command.leader, command.candidate);
      case 'failover':
        return this.#failover(command.candidate, command.holderIsDown === true);
      case 'abandon':
        return this.#pend({ kind: 'abandon' });
      case 'restart':
        return this.#restart(command);
      case 'reinitialize':
        return this.#pend({
          kind: 'reinitialize',
          force: command.force,
          fromLeader: command.fromLeader,
        });
    }
  }

  shutdown(): void {
    const id = this.#nextId++;
    const waiting = this.#waiting;
    if (waiting !== undefined)
      this.#settle({ kind: 'failed', message: 'the agent was told to stop' });
    this.#state.command = { id, at: this.#state.now(), kind: 'shutdown' };
    this.#state.changed();
  }

  /** A request that another tool left in Consul, for the leader to act on. */
  onRecord(): void {
    const state = this.#state;
    const view = state.view();
    this.#watchSuccessor();
    const slot = state.cluster?.value.failover;
    if (slot?.kind !== 'present' || !holdsLease(view) || role(view) !== 'primary') return;
    if (this.#storeRequestIndex === slot.index) {
      // Refused, because something else was written meanwhile, or not answered.
      if (this.#isStoreRequestOver) void this.#clearRequest(slot.index);
      return;
    }
    if (state.command !== undefined) return;
    const request = slot.value;
    if (request.scheduledAt !== undefined) return;
    this.#storeRequestIndex = slot.index;
    this.#isStoreRequestOver = false;
    const self = view.settings.member.name;
    if (request.leader !== undefined && request.leader !== self) {
      // As after each that was carried out: this member leads by it.
      const [level, message] =
        request.candidate === self
          ? (['info', 'the request in key failover was carried out'] as const)
          : (['warn', 'key failover names another leader and is dropped'] as const);
      state.ports.logger.log(level, message, { leader: request.leader });
      void this.#clearRequest(slot.index);
      return;
    }
    const kind = request.leader === undefined ? 'failover' : 'switchover';
    void this.#pend({ kind, candidate: request.candidate }).then(async (answer) => {
      state.ports.logger.log(
        answer.kind === 'done' ? 'info' : 'warn',
        'request in key failover ended',
        { outcome: answer.kind, message: answer.message },
      );
      await this.#clearRequest(slot.index);
    });
  }

  /** Not one that has come in its place meanwhile. */
  async #clearRequest(index: number): Promise<void> {
    if (index === this.#storeRequestIndex) this.#isStoreRequestOver = true;
    if (this.#clearing) return;
    this.#clearing = true;
    await this.#clearFailover(index);
    this.#clearing = false;
  }

  /** A decision settled the pending command. */
  answer(commandId: number, answer: Answer): void {
    const waiting = this.#waiting;
    const isShutdown =
      this.#state.command?.kind === 'shutdown' && this.#state.command.id === commandId;
    if (isShutdown) return;
    if (waiting === undefined || waiting.command.id !== commandId) return;
    if (answer.kind === 'handing-over') {
      waiting.handedOverAt = this.#state.now();
      waiting.drainedAt = this.#drainedAt ?? waiting.handedOverAt;
      this.#state.command = undefined;
      this.#boundSuccessor(waiting);
      return;
    }
    this.#settle(answer.kind === 'done' ? { ...answer, details: {} } : answer);
  }

  #drainedAt: Instant | undefined;

  /** When writes stopped being accepted in the hand-over under way. */
  noteDrained(at: Instant | undefined): void {
    if (at !== undefined) this.#drainedAt = at;
  }

  #settle(answer: CommandAnswer): void {
    const waiting = this.#waiting;
    this.#cancelTimer?.();
    this.#waiting = undefined;
    if (this.#state.command?.kind !== 'shutdown') this.#state.command = undefined;
    this.#drainedAt = undefined;
    waiting?.resolve(answer);
    this.#state.changed();
  }

  #watchSuccessor(): void {
    const waiting = this.#waiting;
    if (waiting?.handedOverAt === undefined) return;
    const view = this.#state.view();
    const current = leader(view);
    if (current === undefined || !current.serves) return;
    const self = view.settings.member.name;
    const gapMillis = Math.round(
      since(waiting.drainedAt ?? waiting.handedOverAt, this.#state.now()),
    );
    const details: JsonObject = { leader: current.name, write_gap_ms: gapMillis };
    if (current.name === self) {
      if (role(view) !== 'primary') return;
      this.#settle({
        kind: 'failed',
        message: `nobody took over; ${self} leads again after ${gapMillis} ms`,
      });
      return;
    }
    this.#state.ports.meter.observe('phase_seconds', gapMillis, { phase: 'hand_over' });
    const wanted = 'candidate' in waiting.command ? waiting.command.candidate : undefined;
    const verb = waiting.command.kind === 'failover' ? 'Failed over' : 'Successfully switched over';
    const instead =
      wanted !== undefined && wanted !== current.name ? ` instead of "${wanted}"` : '';
    this.#settle({
      kind: 'done',
      message: `${verb} to "${current.name}"${instead}; writes were stopped for ${gapMillis} ms`,
      details,
    });
  }

  #boundSuccessor(waiting: Waiting): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#state.ports.clock.timer(SUCCESSOR_TIMEOUT_MILLIS, () => {
      if (this.#waiting !== waiting) return;
      this.#settle({
        kind: 'failed',
        message: `the lease was released, and after ${SUCCESSOR_TIMEOUT_MILLIS / 1000} s nobody serves; status unknown`,
      });
    });
  }

  /** The agent ends: who still waits is told so. */
  stop(): void {
    if (this.#waiting !== undefined) {
      this.#settle({ kind: 'failed', message: 'the agent was told to stop; status unknown' });
    }
    this.#cancelTimer?.();
  }

  async #pend(
    command:
      | {
          readonly kind: 'switchover' | 'failover';
          readonly candidate: string | undefined;
          readonly holderIsDown?: boolean;
        }
      | { readonly kind: 'abandon' }
      | { readonly kind: 'restart'; readonly timeoutMillis: Millis | undefined }
      | { readonly kind: 'reinitialize'; readonly force: boolean; readonly fromLeader: boolean },
  ): Promise<CommandAnswer> {
    const state = this.#state;
    if (state.command !== undefined || this.#waiting !== undefined) {
      const running = state.command?.kind ?? this.#waiting?.command.kind ?? 'another command';
      return { kind: 'refused', cause: 'busy', message: `${running} already in progress` };
    }
    const pending: PendingCommand = { ...command, id: this.#nextId++, at: state.now() };
    return new Promise((resolve) => {
      const waiting: Waiting = {
        command: pending,
        resolve,
        handedOverAt: undefined,
        drainedAt: undefined,
      };
      this.#waiting = waiting;
      state.command = pending;
      state.changed();
      this.#cancelTimer = state.ports.clock.timer(PLANNED_TIMEOUT_MILLIS, () => {
        if (this.#waiting === waiting)
          this.#settle({
            kind: 'failed',
            message: `no outcome after ${PLANNED_TIMEOUT_MILLIS / 1000} s; see "pgbaton explain"`,
          });
      });
    });
  }

  async #switchover(leaderName: string, candidate: string | undefined): Promise<CommandAnswer> {
    const view = this.#state.view();
    if (candidate !== undefined && candidate === leaderName) {
      return {
        kind: 'refused',
        cause: 'invalid',
        message: 'Switchover target and source are the same.',
      };
    }
    const current = leader(view);
    if (clusterIdentifier(view) === undefined || current === undefined) {
      return precondition('the cluster has no leader; use failover');
    }
    if (current.name !== leaderName) {
      return precondition(`leader name does not match: the leader is ${current.name}`);
    }
    if (current.name === view.self) return this.#pend({ kind: 'switchover', candidate });
    return this.#byStore({ leader: leaderName, candidate, scheduledAt: undefined });
  }

  async #failover(candidate: string, holderIsDown: boolean): Promise<CommandAnswer> {
    const view = this.#state.view();
    if (holdsLease(view)) return this.#pend({ kind: 'failover', candidate, holderIsDown });
    // The key of a lost leader outlives its lease, by the time that its session takes to end.
    const isLed = leader(view)?.serves === true && !leaseIsOver(view);
    if (candidate === view.self && !isLed)
      return this.#pend({ kind: 'failover', candidate, holderIsDown });
    return this.#byStore({ leader: undefined, candidate, scheduledAt: undefined });
  }

  /** Leaves the request in Consul, where the leader's watch finds it, and waits for its effect. */
  async #byStore(request: FailoverRequest): Promise<CommandAnswer> {
    const state = this.#state;
    const record = state.cluster?.value;
    if (record === undefined) return { kind: 'failed', message: 'Consul has not been read yet' };
    const known = record.members.map((member) => member.key.name);
    if (request.candidate !== undefined && !known.includes(request.candidate)) {
      return precondition(
        `candidate ${request.candidate} does not exist; members: ${known.join(', ')}`,
      );
    }
    const generation = valueOf(record.generation);
    const answer = await state.ports.store.commit(
      {
        guards: [{ kind: 'index', key: 'failover', index: indexOf(record.failover) }],
        changes: [{ kind: 'set', entry: { key: 'failover', value: request } }],
      },
      state.ports.settings.current().policy.timing.retryTimeoutMillis,
    );
    if (answer.kind !== 'committed')
      return { kind: 'failed', message: notWritten(request, answer.kind) };
    noteWrite(state, answer.indexes);
    const { candidate } = request;
    return this.#awaitOutcome({ writtenAt: state.now(), candidate, generation });
  }

  async #awaitOutcome(left: LeftRequest): Promise<CommandAnswer> {
    const { clock } = this.#state.ports;
    const until = plus(left.writtenAt, SUCCESSOR_TIMEOUT_MILLIS);
    while (clock.now() < until) {
      await sleep(clock, 100);
      const outcome = outcomeOf(this.#state, left);
      if (outcome !== undefined) return outcome;
    }
    return {
      kind: 'failed',
      message: `Switchover status unknown after ${SUCCESSOR_TIMEOUT_MILLIS / 1000} s`,
    };
  }

  async #restart(command: Extract<Command, { kind: 'restart' }>): Promise<CommandAnswer> {
    const view = this.#state.view();
    const facts = server(view);
    const unmet = restartCondition(
      command,
      role(view),
      facts?.serverVersionNumber,
      Object.keys(facts?.pendingRestart ?? {}).length,
    );
    if (unmet !== undefined) return precondition(unmet);
    return this.#pend({ kind: 'restart', timeoutMillis: command.timeoutMillis });
  }

  /** Compare-and-set on what was read just now; every member's watch sees the change at once. */
  async #changeConfig(change: (before: JsonObject) => JsonObject): Promise<CommandAnswer> {
    const state = this.#state;
    const timeout = state.ports.settings.current().policy.timing.retryTimeoutMillis;
    const { answer: read } = await readStore(state, timeout);
    if (read.kind !== 'read')
      return { kind: 'failed', message: `Consul cannot be read: ${read.failure.message}` };
    // What the store has lost is not lost to its members: a pause must have an end there, too.
    const before = valueOf(read.record.config) ?? state.lastConfig;
    if (before === undefined)
      return {
        kind: 'refused',
        cause: 'not-configured',
        message: 'the cluster has no configuration yet',
      };
    const after = change(before);
    const valid = state.ports.settings.validateDynamic(after);
    if (!valid.ok) return { kind: 'refused', cause: 'invalid', message: valid.error.message };
    const isLost = read.record.config.kind === 'absent';
    if (!isLost && JSON.stringify(after) === JSON.stringify(before))
      return { kind: 'done', message: 'Not changed', details: after };
    const answer = await state.ports.store.commit(
      {
        guards: [{ kind: 'index', key: 'config', index: indexOf(read.record.config) }],
        changes: [{ kind: 'set', entry: { key: 'config', value: after } }],
      },
      timeout,
    );
    if (answer.kind === 'refused')
      return {
        kind: 'refused',
        cause: 'conflict',
        message: 'the configuration was changed by someone else meanwhile',
      };
    if (answer.kind !== 'committed')
      return { kind: 'failed', message: `the write was not confirmed: ${answer.failure.message}` };
    for (const warning of valid.value.warnings) state.ports.logger.log('warn', warning);
    return { kind: 'done', message: 'changed', details: after };
  }
}

/** Why nothing may come of a request for another leader; Consul may still carry out what it has not answered. */
function notWritten(
  { candidate }: FailoverRequest,
  why: Exclude<WriteAnswer['kind'], 'committed'>,
): string {
  switch (why) {
    case 'refused':
      return 'another request for a change of leader is in Consul already; nothing was changed';
    case 'not-done':
      return 'the request could not be written to Consul; nothing was changed';
    case 'unknown':
      return `Consul has not answered: ${candidate ?? 'another member'} may yet become the leader; look at "pgbaton list" before you ask again`;
  }
}
