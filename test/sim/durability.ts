import { valueOf } from '../../src/core/cluster.ts';
import type { ClusterRecord } from '../../src/core/cluster.ts';
import type { Machine, Scene } from './model.ts';
import { isPartOf } from './wal.ts';
import type { Branch, Position } from './wal.ts';

/** A forced failover may lose data for as long as its command is carried out. */
const FORCED_FOR_MILLIS = 130_000;

/** What was acknowledged, and what must therefore be there for good (I5). */
export class Durability {
  readonly #world: Scene;
  readonly #record: () => ClusterRecord;
  /** The newest acknowledged end on each branch: what lies before it was acknowledged or is older. */
  readonly #acknowledged = new Map<Branch, Position>();
  readonly #promised = new Map<Branch, Position>();
  #count = 0;
  #forcedUntil = -Infinity;
  /** ModifyIndex of key `sync` that a restored store came with: it says nothing of the present. */
  #pastIndex: number | undefined;
  /** The mode was turned off, and has not been in force since. */
  #off = false;

  constructor(world: Scene, record: () => ClusterRecord) {
    this.#world = world;
    this.#record = record;
  }

  get count(): number {
    return this.#count;
  }

  /** An operator orders a failover, and has been told what may be lost. */
  forced(): void {
    this.#forcedUntil = this.#world.now + FORCED_FOR_MILLIS;
  }

  /** A store that lost its past has lost who may be promoted, too: what it knew before binds nobody. */
  storeForgets(): void {
    this.#promised.clear();
    this.#pastIndex = this.#syncIndex();
  }

  acknowledged(host: Machine, position: Position): void {
    this.#noteTerms();
    this.#count += 1;
    raise(this.#acknowledged, position);
    if (this.#inForceFor(host)) raise(this.#promised, position);
  }

  /** Configured off, and the key names nobody any more: then a failover loses what it may lose at all. */
  #noteTerms(): void {
    const { sync, config } = this.#record();
    if (valueOf(sync)?.leader !== undefined) this.#off = false;
    else if (config.kind === 'present' && sync.kind !== 'garbled')
      this.#off ||= (config.value['synchronous_mode'] ?? false) === false;
  }

  /** Key `sync` names this very server as the one that commits are acknowledged by. */
  #inForceFor(host: Machine): boolean {
    const { sync } = this.#record();
    if (sync.kind === 'present' && sync.index === this.#pastIndex) return false;
    this.#pastIndex = undefined;
    return valueOf(sync)?.leader === host.name;
  }

  #syncIndex(): number | undefined {
    const { sync } = this.#record();
    return sync.kind === 'present' ? sync.index : undefined;
  }

  /** A server has left recovery with this log: nothing that was promised may be missing. */
  promoted(host: Machine, log: Position): void {
    this.#noteTerms();
    if (this.#off) this.#promised.clear();
    for (const [branch, position] of this.#promised) {
      if (isPartOf(position, log)) continue;
      this.#promised.delete(branch);
      if (this.#world.now <= this.#forcedUntil) continue;
      this.#world.violation(
        'I5',
        `${host.address} was promoted with branch ${log.branch.serial} at ${log.end}, and lacks what was acknowledged on branch ${branch.serial} up to ${position.end}`,
      );
    }
  }

  /** A client reads where /primary answers 200: it finds all that was promised to it or to another. */
  read(host: Machine, seen: Position): void {
    if (this.isHeldBy(seen) || this.#world.now <= this.#forcedUntil) return;
    this.#world.violation(
      'I5',
      `a client that reads on ${host.address} up to ${seen.end} of branch ${seen.branch.serial} misses an acknowledged commit`,
    );
  }

  /** Whether this log has all that was promised. */
  isHeldBy(log: Position): boolean {
    return [...this.#promised.values()].every((position) => isPartOf(position, log));
  }

  /** Branches with acknowledged commits that are not in this log: what asynchronous replication lost. */
  lostIn(log: Position): number {
    return [...this.#acknowledged.values()].filter((position) => !isPartOf(position, log)).length;
  }
}

function raise(known: Map<Branch, Position>, position: Position): void {
  const before = known.get(position.branch);
  if (before === undefined || position.end > before.end) known.set(position.branch, position);
}
