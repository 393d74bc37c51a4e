import { BRAKE_NAMES } from '../../src/core/brake.ts';
import type { Host } from '../sim/host.ts';
import type { World } from '../sim/world.ts';

/** Actions that change something for people outside; the others are housekeeping. */
const TOLD_ACTIONS = new Set([
  'fence',
  'takeover',
  'release',
  'start',
  'stop',
  'promote',
  'initialise',
  'clone',
  'rewind',
  'set-aside',
  'leave',
]);
/** Rules that say of a member only what the line of its role says better, or that it is at work. */
const QUIET_RULES = new Set(['R160', 'R170', 'R350', 'R530']);
const TOLD_NEWS = /^(guardian: |agent has left|answer to |adopts the lease|VIOLATION)/;
/** Lines of two runs are the same when they are no further apart. */
const TOLERANCE_SECONDS = 0.5;

export interface StoryLine {
  readonly seconds: number;
  readonly who: string;
  readonly what: string;
}

interface DecisionFields {
  readonly rule: string;
  readonly rule_name: string;
  readonly why: string;
  readonly actions: readonly string[];
}

/** What a pager's owner would tell of a run: who was what, who decided what and why. */
export class Story {
  readonly lines: StoryLine[] = [];
  readonly #world: () => World;
  readonly #roles = new Map<string, string>();
  readonly #waits = new Map<string, string>();
  readonly #decisions = new Map<string, string>();
  #beginMillis: number | undefined;

  constructor(world: () => World) {
    this.#world = world;
  }

  /** What is so now is where the story begins. */
  begin(): void {
    this.#beginMillis = this.#world().now;
    for (const host of this.#world().hosts) {
      this.#roles.set(host.name, roleOf(host) ?? '');
      this.#waits.set(host.name, host.postgres.synchronousStandbyNames);
    }
  }

  /** A step of the script. */
  does(text: string): void {
    this.#tell('>', text);
  }

  /** Whether somebody has become something else. */
  look(): void {
    for (const host of this.#world().hosts) {
      this.#lookAtRole(host);
      if (host.postgres.writable) this.#lookAtCommits(host);
    }
  }

  #lookAtRole(host: Host): void {
    const role = roleOf(host);
    if (role === undefined || role === this.#roles.get(host.name)) return;
    this.#roles.set(host.name, role);
    this.#tell(host.name, `is ${role}`);
  }

  #lookAtCommits({ name, postgres }: Host): void {
    const names = postgres.synchronousStandbyNames;
    if (names === (this.#waits.get(name) ?? '')) return;
    this.#waits.set(name, names);
    this.#tell(name, `commits wait for ${WAITED_FOR.get(names) ?? names}`);
  }

  /** A line of the trace of the world. */
  trace(line: string): void {
    const [, label = '', text = ''] = /^\s*[\d.]+ (\S+)\s+(.*)$/.exec(line) ?? [];
    const who = label.split('.')[0] ?? '';
    if (label === 'CONSUL') this.#tell('consul', withoutFigures(text).replace(' (…)', ''));
    else if (text.startsWith('decision {'))
      this.#decided(who, JSON.parse(text.slice('decision '.length)) as DecisionFields);
    else if (TOLD_NEWS.test(text)) this.#tell(who, withoutFigures(text.replace(/ \{.*\}$/, '')));
  }

  #decided(who: string, { rule, rule_name: name, why, actions }: DecisionFields): void {
    const done = actions.filter((action) => TOLD_ACTIONS.has(action));
    if (QUIET_RULES.has(rule) && done.length === 0) return;
    const does = done.length === 0 ? '' : ` → ${done.join(', ')}`;
    const told = `${rule} ${name}${does}: ${withoutFigures(why)}`;
    if (this.#decisions.get(who) === told) return;
    this.#decisions.set(who, told);
    this.#tell(who, told);
  }

  #tell(who: string, what: string): void {
    if (this.#beginMillis === undefined) return;
    const seconds = (this.#world().now - this.#beginMillis) / 1000;
    this.lines.push({ seconds, who, what });
  }

  text(): readonly string[] {
    return this.lines.map(
      ({ seconds, who, what }) => `${seconds.toFixed(1).padStart(6)}  ${who.padEnd(6)}  ${what}`,
    );
  }
}

const WAITED_FOR: ReadonlyMap<string, string> = new Map([
  ['', 'nobody'],
  [BRAKE_NAMES, 'the lease to be renewed'],
]);

/** Undefined: on the way from one to another. */
function roleOf({ postgres, up }: Host): string | undefined {
  if (!up) return 'off';
  switch (postgres.state) {
    case 'down':
      return 'down';
    case 'primary':
      return postgres.writable
        ? `primary on timeline ${postgres.position()?.branch.timeline ?? 0}`
        : undefined;
    case 'recovery': {
      const upstream = postgres.receiver.upstream?.host.name;
      return upstream === undefined ? undefined : `standby of ${upstream}`;
    }
    default:
      return undefined;
  }
}

/** Figures and identities are of one run; what is left is the story. */
function withoutFigures(text: string): string {
  return text
    .replace(/\b[0-9A-F]+\/[0-9A-F]+\b/g, '…')
    .replace(/\b(id)?[0-9a-f]{16}\b/g, '…')
    .replace(/\b\d+(\.\d+)? (ms|s|bytes)\b/g, '… $2');
}

/** What differs from the lines of the last time; undefined: nothing that matters. */
export function differenceOf(
  golden: readonly string[],
  story: readonly StoryLine[],
): string | undefined {
  const before = golden.filter((line) => line.trim() !== '').map(parseLine);
  const names = new Set([...before, ...story].map(({ who }) => who));
  for (const name of names) {
    const then = before.filter(({ who }) => who === name);
    const now = story.filter(({ who }) => who === name);
    for (let at = 0; at < Math.max(then.length, now.length); at += 1) {
      const [was, is] = [then[at], now[at]];
      const same =
        was?.what === is?.what &&
        Math.abs((was?.seconds ?? 0) - (is?.seconds ?? 0)) <= TOLERANCE_SECONDS;
      if (!same) return `${name}: ${tell(was)} is now ${tell(is)}`;
    }
  }
  return undefined;
}

const tell = (line: StoryLine | undefined): string =>
  line === undefined ? 'nothing' : `"${line.what}" after ${line.seconds.toFixed(1)} s`;

function parseLine(line: string): StoryLine {
  const [, seconds = 'NaN', who = '', what = ''] = /^\s*([\d.]+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
  return { seconds: Number(seconds), who, what };
}
