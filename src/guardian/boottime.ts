import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import type { Millis } from '../core/time.ts';

/**
 * The boot-time clock of this host, precise to well under a millisecond, though Node offers only
 * CLOCK_MONOTONIC (which stands still while the host is suspended) and /proc/uptime (which goes on,
 * in steps of 10 ms). Source: proc(5), clock_gettime(2).
 */
export interface BootClock {
  /** Milliseconds since the host booted, suspends included. The same in every process of the host. */
  bootMillis(): Millis;
  /** Boot time minus CLOCK_MONOTONIC: constant, but for a suspend, which makes it larger. */
  suspendedMillis(): Millis;
}

export interface BootClockSources {
  readonly monotonicMillis: () => Millis;
  /** Undefined where the host has no such file: then suspends cannot be seen. */
  readonly uptimeMillis: (() => Millis) | undefined;
}

const TICK_MILLIS = 10;
/** A container's /proc/uptime may be computed and rounded by its host: not each difference is a suspend. */
const TOLERANCE_MILLIS = 2 * TICK_MILLIS;
/** A tick that was seen within this is precise enough; else the process was interrupted while looking. */
const PRECISION_MILLIS = 0.5;
const CALIBRATIONS_MAX = 3;

interface Offset {
  readonly millis: Millis;
  readonly widthMillis: Millis;
}

/** Watches for one step of the coarse clock; bounded by three of its ticks. */
function watchOneTick(sources: BootClockSources, uptimeMillis: () => Millis): Offset {
  const begin = sources.monotonicMillis();
  const first = uptimeMillis();
  let before = begin;
  for (;;) {
    const uptime = uptimeMillis();
    const after = sources.monotonicMillis();
    if (uptime !== first) return { millis: uptime - after, widthMillis: after - before };
    if (after - begin > 3 * TICK_MILLIS) {
      return { millis: uptime - after, widthMillis: TICK_MILLIS };
    }
    before = after;
  }
}

function calibrate(sources: BootClockSources, uptimeMillis: () => Millis): Millis {
  const quick = uptimeMillis() - sources.monotonicMillis();
  // A host that was never suspended: both clocks are one, and all processes agree exactly.
  if (Math.abs(quick) < TOLERANCE_MILLIS) return 0;
  let best = watchOneTick(sources, uptimeMillis);
  for (let tries = 1; best.widthMillis > PRECISION_MILLIS && tries < CALIBRATIONS_MAX; tries += 1) {
    const next = watchOneTick(sources, uptimeMillis);
    if (next.widthMillis < best.widthMillis) best = next;
  }
  return best.millis;
}

export function createBootClock(sources: BootClockSources): BootClock {
  const { monotonicMillis, uptimeMillis } = sources;
  if (uptimeMillis === undefined) {
    return { bootMillis: monotonicMillis, suspendedMillis: () => 0 };
  }
  let offset = calibrate(sources, uptimeMillis);

  function bootMillis(this: void): Millis {
    const before = monotonicMillis();
    if (uptimeMillis === undefined) return before;
    const uptime = uptimeMillis();
    const after = monotonicMillis();
    const ahead = uptime - (after + offset);
    const behind = before + offset - (uptime + TICK_MILLIS);
    if (ahead > TOLERANCE_MILLIS || behind > TOLERANCE_MILLIS) {
      offset = calibrate(sources, uptimeMillis);
      return monotonicMillis() + offset;
    }
    return after + offset;
  }

  return {
    bootMillis,
    suspendedMillis: () => {
      bootMillis();
      return offset;
    },
  };
}

const UPTIME_FILE = '/proc/uptime';
const buffer = Buffer.alloc(64);

/** One system call a reading: the file stays open, and is generated anew at each read from its start. */
function openUptime(): (() => Millis) | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(UPTIME_FILE, 'r');
  } catch {
    return undefined;
  }
  const read = (): Millis => {
    const length = readSync(descriptor, buffer, 0, buffer.length, 0);
    const text = buffer.toString('latin1', 0, length);
    return Number(text.slice(0, text.indexOf(' '))) * 1000;
  };
  if (Number.isFinite(read())) return read;
  closeSync(descriptor);
  return undefined;
}

const host = createBootClock({
  monotonicMillis: () => Number(process.hrtime.bigint()) / 1e6,
  uptimeMillis: openUptime(),
});

/** Milliseconds since this host booted, suspends included. A system call or two; never waits. */
export const bootMillis = (): Millis => host.bootMillis();

/** How long this host has been suspended since it booted; a rise voids what was valid before. */
export const suspendedMillis = (): Millis => host.suspendedMillis();

/** Where the host does not tell: not to be compared, all hosts are equal in it. */
export const UNKNOWN_BOOT = 'unknown';

/** Identifies this boot of the host; what was written under another one is history. */
export function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return UNKNOWN_BOOT;
  }
}
