import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Journals } from './journals.ts';
import { MARK, parseScenario, ScriptError } from './parse.ts';
import { perform } from './perform.ts';
import { differenceOf } from './story.ts';

const FOLDER = new URL('.', import.meta.url);
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));
const UPDATE = process.env['UPDATE_SCENARIOS'] === '1';

describe('transcripts', () => {
  test.each(NAMES)('%s', async (name) => {
    const file = new URL(name, FOLDER);
    const scenario = parseScenario(`test/scenarios/${name}`, readFileSync(file, 'utf8'));
    const journals = new Journals();
    const { failure, story, text } = await perform(scenario, ({ world }) => journals.of(world));
    expect(failure, failure).toBeUndefined();
    expect(journals.differences(), 'decisions made again from the journals').toEqual([]);
    if (UPDATE) writeFileSync(file, [scenario.script, MARK, ...text, ''].join('\n'));
    const difference = UPDATE ? undefined : differenceOf(scenario.golden, story);
    expect(
      difference === undefined
        ? undefined
        : `${difference}; UPDATE_SCENARIOS=1 writes this instead:\n${text.join('\n')}`,
      difference,
    ).toBeUndefined();
  });

  test('tell the same story every time', async () => {
    const script =
      'when healthy under pg1\ncrash host pg1\nexpect within 10 s: pg2 or pg3 is primary';
    const [first, second] = [await performed(script), await performed(script)];
    expect(first.text).toEqual(second.text);
  });
});

const performed = async (script: string): ReturnType<typeof perform> =>
  perform(parseScenario('t.txt', script));

describe('a transcript that means nothing', () => {
  test.each([
    ['a verb', 'when healthy\nmelt pg1', 't.txt:2: nobody knows how to "melt pg1"'],
    ['a member', 'crash host pg4', 't.txt:1: there is no member pg4'],
    ['a condition', 'expect within 5 s: pg1 is happy', 't.txt:1: nothing can be "pg1 is happy"'],
    ['a time', 'wait a while', 't.txt:1: "a while" is no time'],
    ['an expectation', 'expect pg1 is primary', 't.txt:1: write: expect within 5 s'],
    ['a setting', 'members 3, settings ttl long', 't.txt:1: no such setting "ttl long"'],
    ['a number of members', 'members 0', 't.txt:1: expected 1 to 9 members'],
    ['members in the middle', 'when healthy\nmembers 5', 't.txt:2: members come first'],
    ['nothing at all', '# silence', 't.txt:1: nothing happens'],
  ])('is refused with file and line: %s', (_what, script, message) => {
    expect(() => parseScenario('t.txt', script)).toThrow(ScriptError);
    expect(() => parseScenario('t.txt', script)).toThrow(message);
  });
});

describe('an expectation that is not met', () => {
  test.each([
    ['within', 'expect within 2 s: pg2 is primary', 'it did not come true in time'],
    ['for', 'crash host pg1\nexpect for 9 s: nobody is primary', 'it did not stay so'],
    ['never', 'expect never: pg1 is primary\nwait 1 s', 'this was never to be'],
  ])('fails with its line and with what everyone waits for: %s', async (_how, script, why) => {
    const { failure } = await performed(`when healthy under pg1\n${script}`);
    expect(failure).toContain('t.txt:');
    expect(failure).toContain(why);
    expect(failure).toMatch(/^ {2}R\d+ .* \| waits for /m);
  });
});

describe('a story', () => {
  const golden = ['   1.0  pg1     is down', '   1.2  pg2     is primary on timeline 2'];

  test('is the same when its lines are a little earlier or later, in any order between members', () => {
    const story = [
      { seconds: 1.4, who: 'pg2', what: 'is primary on timeline 2' },
      { seconds: 1.4, who: 'pg1', what: 'is down' },
    ];
    expect(differenceOf(golden, story)).toBeUndefined();
  });

  test.each([
    ['much later', [{ seconds: 9, who: 'pg1', what: 'is down' }], 'is now "is down" after 9.0 s'],
    ['otherwise', [{ seconds: 1, who: 'pg1', what: 'is off' }], 'is now "is off" after 1.0 s'],
    ['not at all', [], 'pg1: "is down" after 1.0 s is now nothing'],
  ])('differs when something happens %s', (_how, story, difference) => {
    expect(differenceOf(golden, story)).toContain(difference);
  });
});
