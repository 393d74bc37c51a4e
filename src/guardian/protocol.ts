import type { Json, JsonObject } from '../core/json.ts';
import type { Failure, Result } from '../core/result.ts';
import { fail, ok } from '../core/result.ts';
import type { Millis } from '../core/time.ts';
import type { HeldWatchdog, WatchdogOrder } from '../core/watchdog.ts';

/*
 * What an agent and a guardian say to each other: one JSON value a line over a Unix socket.
 * An agent sends `{id, type, ...}`, the guardian answers `{id, ok: true, ...}` or `{id, ok: false, error}`
 * and pushes `{type: 'state', state}` unasked. Both ignore fields they do not know, so that a newer
 * agent can talk to the guardian that an older one has left behind. Instants are on the host's
 * boot-time clock, in milliseconds.
 */

export const PROTOCOL_VERSION = 1;
/** A line longer than this is no message of ours. */
export const LINE_LENGTH_MAX = 1024 * 1024;
/** Past this a deadline is a mistake, for example one on another clock. */
export const DEADLINE_AHEAD_MAX_MILLIS: Millis = 3_600_000;

export interface WireLease {
  readonly leaseId: string;
  readonly n: number;
  readonly deadline: number;
  readonly ttlMillis: Millis;
  readonly fenceBudgetMillis: Millis;
  readonly failsafe: readonly string[];
  /** Its deadline is lifted. */
  readonly paused?: boolean;
}

export interface WireCommand {
  readonly executable: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly dataDir: string;
  readonly logFile: string;
}

export type ExitCause = 'exited' | 'deadline' | 'fenced' | 'stopped';

export interface WireExit {
  readonly at: number;
  readonly code: number | null;
  readonly signal: string | null;
  readonly cause: ExitCause;
}

export type WirePostmaster =
  | { readonly kind: 'down'; readonly exit: WireExit | null }
  | {
      readonly kind: 'up';
      readonly pid: number;
      readonly startedAt: number;
      /** As in /proc/<pid>/stat: tells it from a later process of the same number. */
      readonly startTicks: number;
    };

export interface WireState {
  readonly postmaster: WirePostmaster;
  readonly armed: WireLease | null;
  /** Newest lease that is over on this host: its Postgres was proved down, and it is never armed again. */
  readonly over: string | null;
  /** Why a fence is under way and not yet proved; null when none is. */
  readonly fencing: string | null;
  /** The kernel stops the postmaster when the guardian dies. */
  readonly deathSignal: boolean;
  /** Null: a guardian of before, which knows of no device. */
  readonly watchdog: HeldWatchdog | null;
}

export type StopMode = 'fast' | 'immediate';

export type Request =
  | {
      readonly type: 'hello';
      readonly version: number;
      /** Who asks; the client that was created last may write, an older one never again. */
      readonly client: string;
      readonly createdAt: number;
      /** False only watches. */
      readonly control: boolean;
    }
  | { readonly type: 'launch'; readonly command: WireCommand }
  /** `watchdog`: the device to hold with it. Guardians of before do not heed it. */
  | { readonly type: 'arm'; readonly lease: WireLease; readonly watchdog?: WatchdogOrder }
  /** Lifts the deadline of this lease until it is armed again. Guardians of before do not know it. */
  | { readonly type: 'pause'; readonly lease: WireLease }
  | { readonly type: 'disarm' }
  /** This lease is over, for Postgres is down: it is never armed again. Guardians of before do not know it. */
  | { readonly type: 'end'; readonly leaseId: string }
  | { readonly type: 'stop'; readonly mode: StopMode; readonly timeoutMillis: Millis }
  | { readonly type: 'fence'; readonly reason: string }
  /** Stop every process of the server where it is, and let it go on: see freeze.ts. */
  | { readonly type: 'freeze' }
  | { readonly type: 'thaw' }
  | { readonly type: 'state' }
  | { readonly type: 'shutdown' };

export type Reply =
  | { readonly id: number; readonly ok: true; readonly pid?: number; readonly state?: WireState }
  | { readonly id: number; readonly ok: false; readonly error: Failure };

export type Push =
  | { readonly type: 'state'; readonly state: WireState }
  /** Another agent has taken over; this connection may not write any more. */
  | { readonly type: 'superseded' };

export const writeLine = (message: Reply | Push | (Request & { readonly id: number })): string =>
  `${JSON.stringify(message)}\n`;

/** Cuts a byte stream into lines. Answers undefined when a line is too long to be one. */
export class LineReader {
  #rest = '';

  push(text: string): string[] | undefined {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    return this.#rest.length > LINE_LENGTH_MAX ? undefined : lines;
  }
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function parseObject(line: string): JsonObject | undefined {
  try {
    const value = JSON.parse(line) as unknown;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isText = (value: Json | undefined): value is string => typeof value === 'string';
const isNumber = (value: Json | undefined): value is number =>
  typeof value === 'number' && Number.isFinite(value);
const isTexts = (value: Json | undefined): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

const malformed = (type: string): Result<never> =>
  fail(
    'guardian-request-malformed',
    `the guardian was sent a malformed "${type}"`,
    'report this as a bug',
  );

function parseLease(value: Json | undefined): WireLease | undefined {
  if (!isObject(value)) return undefined;
  const { leaseId, n, deadline, ttlMillis, fenceBudgetMillis, failsafe } = value;
  if (!isText(leaseId) || !isNumber(n) || !isNumber(deadline) || !isNumber(ttlMillis)) {
    return undefined;
  }
  if (!isNumber(fenceBudgetMillis) || !isTexts(failsafe)) return undefined;
  return { leaseId, n, deadline, ttlMillis, fenceBudgetMillis, failsafe };
}

function parseArmed(value: Json | undefined): WireLease | null {
  const lease = parseLease(value);
  if (lease === undefined) return null;
  return isObject(value) && value['paused'] === true ? { ...lease, paused: true } : lease;
}

function parseCommand(value: Json | undefined): WireCommand | undefined {
  if (!isObject(value)) return undefined;
  const { executable, args, env, dataDir, logFile } = value;
  if (!isText(executable) || !isTexts(args) || !isText(dataDir) || !isText(logFile)) {
    return undefined;
  }
  if (!isObject(env)) return undefined;
  const variables: Record<string, string> = {};
  for (const [name, text] of Object.entries(env)) {
    if (!isText(text)) return undefined;
    variables[name] = text;
  }
  return { executable, args, env: variables, dataDir, logFile };
}

function parseHello(value: JsonObject): Request | undefined {
  const { version, client, createdAt, control } = value;
  if (!isNumber(version) || !isText(client) || !isNumber(createdAt)) return undefined;
  return { type: 'hello', version, client, createdAt, control: control === true };
}

function parseStop(value: JsonObject): Request | undefined {
  const { mode, timeoutMillis } = value;
  if ((mode !== 'fast' && mode !== 'immediate') || !isNumber(timeoutMillis)) return undefined;
  return { type: 'stop', mode, timeoutMillis };
}

const parseEnd = ({ leaseId }: JsonObject): Request | undefined =>
  isText(leaseId) ? { type: 'end', leaseId } : undefined;

function parseArm(value: JsonObject): Request | undefined {
  const lease = parseLease(value['lease']);
  const order = value['watchdog'];
  if (order === undefined || order === null) return lease && { type: 'arm', lease };
  const watchdog = parseWatchdogOrder(order);
  return lease && watchdog && { type: 'arm', lease, watchdog };
}

function parseWatchdogOrder(value: Json | undefined): WatchdogOrder | undefined {
  if (!isObject(value)) return undefined;
  const { device, driver, timeoutMillis, attributes } = value;
  if (!isText(device) || !isNumber(timeoutMillis)) return undefined;
  if (driver !== 'default' && driver !== 'testing') return undefined;
  return { device, driver, timeoutMillis, attributes: isText(attributes) ? attributes : undefined };
}

function parsePause(value: JsonObject): Request | undefined {
  const lease = parseLease(value['lease']);
  return lease && { type: 'pause', lease: { ...lease, paused: true } };
}

function parseKnown(type: string, value: JsonObject): Request | undefined {
  switch (type) {
    case 'hello':
      return parseHello(value);
    case 'launch': {
      const command = parseCommand(value['command']);
      return command && { type, command };
    }
    case 'arm':
      return parseArm(value);
    case 'pause':
      return parsePause(value);
    case 'end':
      return parseEnd(value);
    case 'stop':
      return parseStop(value);
    case 'fence':
      return { type, reason: isText(value['reason']) ? value['reason'] : 'unknown' };
    case 'disarm':
    case 'freeze':
    case 'thaw':
    case 'state':
    case 'shutdown':
      return { type };
    default:
      return undefined;
  }
}

const KNOWN: readonly string[] = [
  'hello',
  'launch',
  'arm',
  'pause',
  'disarm',
  'end',
  'stop',
  'fence',
  'freeze',
  'thaw',
  'state',
  'shutdown',
] satisfies readonly Request['type'][];

/** Fails with `guardian-request-unknown` for what a newer agent may ask, else `guardian-request-malformed`. */
export function parseRequest(value: JsonObject): Result<Request> {
  const type = value['type'];
  if (!isText(type)) return malformed('?');
  if (!KNOWN.includes(type)) {
    return fail(
      'guardian-request-unknown',
      `this guardian does not know the request "${type}"`,
      'it was started by an older version: restart Postgres through pgbaton to renew it',
    );
  }
  const request = parseKnown(type, value);
  return request === undefined ? malformed(type) : ok(request);
}

function parseExit(value: Json | undefined): WireExit | null {
  if (!isObject(value)) return null;
  const { at, code, signal, cause } = value;
  const known: readonly ExitCause[] = ['exited', 'deadline', 'fenced', 'stopped'];
  return {
    at: isNumber(at) ? at : 0,
    code: isNumber(code) ? code : null,
    signal: isText(signal) ? signal : null,
    cause: known.find((name) => name === cause) ?? 'exited',
  };
}

/** Reads what a guardian says of itself; undefined when it is not understood. */
export function parseState(value: Json | undefined): WireState | undefined {
  if (!isObject(value) || !isObject(value['postmaster'])) return undefined;
  const { kind, pid, startedAt, startTicks, exit } = value['postmaster'];
  let postmaster: WirePostmaster;
  if (kind === 'down') {
    postmaster = { kind, exit: parseExit(exit) };
  } else if (kind === 'up' && isNumber(pid) && isNumber(startedAt) && isNumber(startTicks)) {
    postmaster = { kind, pid, startedAt, startTicks };
  } else {
    return undefined;
  }
  return {
    postmaster,
    armed: parseArmed(value['armed']),
    over: isText(value['over']) ? value['over'] : null,
    fencing: isText(value['fencing']) ? value['fencing'] : null,
    deathSignal: value['deathSignal'] === true,
    watchdog: parseWatchdog(value['watchdog']),
  };
}

function parseWatchdog(value: Json | undefined): HeldWatchdog | null {
  if (!isObject(value)) return null;
  const { kind, device, order, why } = value;
  if (kind === 'open') {
    const held = parseWatchdogOrder(order);
    return held === undefined ? null : { kind, order: held };
  }
  if (kind === 'failed' && isText(device) && isText(why)) return { kind, device, why };
  return kind === 'closed' ? { kind } : null;
}

/** Reads a reply; undefined when it is none. */
export function parseReply(value: JsonObject): Reply | undefined {
  const { id, error, pid } = value;
  if (!isNumber(id)) return undefined;
  if (value['ok'] === true) {
    const state = parseState(value['state']);
    return { id, ok: true, ...(isNumber(pid) && { pid }), ...(state && { state }) };
  }
  if (!isObject(error) || !isText(error['code']) || !isText(error['message'])) return undefined;
  const { code, message, remedy } = error;
  return { id, ok: false, error: { code, message, ...(isText(remedy) && { remedy }) } };
}
