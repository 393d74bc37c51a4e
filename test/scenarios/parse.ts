import { CONDITIONS } from './conditions.ts';
import type { Condition } from './conditions.ts';
import { SETTINGS } from './settings.ts';
import type { ScenarioSettings } from './settings.ts';
import { VERBS } from './verbs.ts';
import type { Verb } from './verbs.ts';

/** A transcript: what is done to a cluster, what must come of it, and what came of it last time. */
export interface Scenario {
  readonly path: string;
  readonly members: number;
  readonly settings: ScenarioSettings;
  readonly steps: readonly Step[];
  /** The text above the mark, as it was read. */
  readonly script: string;
  /** What was decided and who was what, when it was last written. */
  readonly golden: readonly string[];
}

export type Step = { readonly line: number; readonly text: string } & (
  | { readonly kind: 'found'; readonly first: string | undefined }
  | { readonly kind: 'wait'; readonly millis: number }
  | { readonly kind: 'do'; readonly verb: Verb }
  | { readonly kind: 'within' | 'throughout'; readonly millis: number; readonly of: Condition }
  | { readonly kind: 'never'; readonly of: Condition }
);

export const MARK = '----';
const MEMBERS_DEFAULT = 3;
const MEMBERS_MAX = 9;

/** A line that means nothing; the message begins with file and line. */
export class ScriptError extends Error {}

/** Throws a `ScriptError`. */
export function parseScenario(path: string, text: string): Scenario {
  const at = text.split('\n').indexOf(MARK);
  const lines = text.trimEnd().split('\n');
  const script = at === -1 ? lines : lines.slice(0, at);
  const golden = at === -1 ? [] : lines.slice(at + 1);
  const parser = new Parser(path);
  script.forEach((line, index) => {
    parser.line(line.trim(), index + 1);
  });
  return parser.end(script.join('\n').trimEnd(), golden);
}

class Parser {
  readonly #path: string;
  readonly #steps: Step[] = [];
  #members = MEMBERS_DEFAULT;
  #settings: ScenarioSettings = {};
  #line = 0;

  constructor(path: string) {
    this.#path = path;
  }

  line(text: string, line: number): void {
    this.#line = line;
    if (text === '' || text.startsWith('#')) return;
    const header = /^members (\d+)(?:, settings (.+))?$/.exec(text);
    if (header === null) this.#steps.push({ line, text, ...this.#step(text) } as Step);
    else this.#header(header[1] ?? '', header[2]);
  }

  end(script: string, golden: readonly string[]): Scenario {
    if (this.#steps.length === 0) this.#fail('nothing happens');
    const steps = this.#steps;
    return {
      path: this.#path,
      members: this.#members,
      settings: this.#settings,
      steps,
      script,
      golden,
    };
  }

  #fail(message: string): never {
    throw new ScriptError(`${this.#path}:${this.#line}: ${message}`);
  }

  #header(count: string, settings: string | undefined): void {
    if (this.#steps.length > 0) this.#fail('members come first');
    this.#members = Number(count);
    if (this.#members < 1 || this.#members > MEMBERS_MAX)
      this.#fail(`expected 1 to ${MEMBERS_MAX} members`);
    for (const part of settings?.split(', ') ?? [])
      this.#settings = { ...this.#settings, ...this.#setting(part) };
  }

  #setting(text: string): ScenarioSettings {
    const [, name = '', value = ''] = /^(.+?) ([^ ]+(?: m?s)?)$/.exec(text) ?? [];
    const known = SETTINGS.get(name);
    if (known === undefined || !known.values.test(value))
      return this.#fail(
        `no such setting "${text}"; there are: ${[...SETTINGS.values()].map(({ form }) => form).join(', ')}`,
      );
    return known.make(/ m?s$/.test(value) ? String(this.#millis(value)) : value);
  }

  #millis(text: string): number {
    const [, count = '', unit = ''] = /^(\d+(?:\.\d+)?) ?(m?s)$/.exec(text) ?? [];
    if (unit === '') this.#fail(`"${text}" is no time; write 500 ms or 20 s`);
    return Number(count) * (unit === 's' ? 1000 : 1);
  }

  #step(text: string): object {
    const found = /^when healthy$|^when healthy under (pg\d+)$/.exec(text);
    if (found !== null) return { kind: 'found', first: found[1] && this.#member(found[1]) };
    const wait = /^wait (.+)$/.exec(text);
    if (wait !== null) return { kind: 'wait', millis: this.#millis(wait[1] ?? '') };
    const expected = /^expect (?:(within|for) ([^:]+)|(never)): (.+)$/.exec(text);
    if (expected !== null) {
      const [, how, time = '', , condition = ''] = expected;
      const of = this.#condition(condition);
      if (how === undefined) return { kind: 'never', of };
      return { kind: how === 'for' ? 'throughout' : 'within', millis: this.#millis(time), of };
    }
    if (text.startsWith('expect'))
      this.#fail('write: expect within 5 s: …, expect for 20 s: …, expect never: …');
    return { kind: 'do', verb: this.#verb(text) };
  }

  #verb(text: string): Verb {
    for (const { pattern, make } of VERBS) {
      const match = pattern.exec(text);
      if (match !== null) return make(this.#arguments(match));
    }
    return this.#fail(
      `nobody knows how to "${text}"; known:\n  ${VERBS.map(({ form }) => form).join('\n  ')}`,
    );
  }

  #condition(text: string): Condition {
    const parts = text.split(' and ').map((part) => {
      for (const { pattern, make } of CONDITIONS) {
        const match = pattern.exec(part);
        if (match !== null) return make(this.#arguments(match));
      }
      return this.#fail(
        `nothing can be "${part}"; known, joined by " and ":\n  ${CONDITIONS.map(({ form }) => form).join('\n  ')}`,
      );
    });
    return (stage) => parts.every((holds) => holds(stage));
  }

  /** What a pattern has found: members must exist, times are turned into milliseconds. */
  #arguments(match: RegExpExecArray): readonly string[] {
    for (const [name] of match[0].matchAll(/\bpg\d+\b/g)) this.#member(name);
    return match
      .slice(1)
      .map((found: string | undefined) =>
        found !== undefined && /^\d+(\.\d+)? m?s$/.test(found)
          ? String(this.#millis(found))
          : (found ?? ''),
      );
  }

  #member(name: string): string {
    const number = Number(name.slice(2));
    if (number < 1 || number > this.#members) this.#fail(`there is no member ${name}`);
    return name;
  }
}
