import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide } from '../../../src/core/decide.ts';
import type { Json, JsonObject } from '../../../src/core/json.ts';
import { lsn } from '../../../src/core/lsn.ts';
import { Secret } from '../../../src/core/secret.ts';
import { instant } from '../../../src/core/time.ts';
import type { View } from '../../../src/core/view.ts';
import { DecisionJournal } from '../../../src/telemetry/journal.ts';
import { decode, difference, encode, patched } from '../../../src/telemetry/journal-format.ts';
import { arbitraryMemory, arbitraryView } from '../../harness/scenes.ts';
import { someSettings } from '../../harness/settings.ts';
import {
  aMemory,
  aRecord,
  aView,
  holding,
  observed,
  present,
  primary,
} from '../../harness/views.ts';
import { replayJournal } from '../../sim/run-journal.ts';
import { recordingLogger } from '../api/fake-agent.ts';

const clock = {
  now: () => instant(0),
  wall: () => 1_700_000_000_000,
  timer: () => () => undefined,
};

class Recorded {
  readonly lines: string[] = [];
  readonly logger = recordingLogger();
  readonly #journal = new DecisionJournal({
    journal: { record: (entry) => this.lines.push(JSON.stringify(entry)) },
    clock,
    logger: this.logger,
    version: '1.2.3',
  });

  decide(view: View, memory = aMemory()): void {
    this.#journal.record(view, memory, decide(view, memory));
  }

  entry(index: number): JsonObject {
    return JSON.parse(this.lines[index] ?? '') as JsonObject;
  }
}

const json = fc.jsonValue().map((value) => encode(value));

describe('the form of the journal', () => {
  test('gives back what it was given: positions, nothing, infinities, keys that begin with a dollar', () => {
    const given = {
      position: lsn(0x16b374d848n),
      below: -5n,
      beyond: 2n ** 70n,
      nothing: undefined,
      empty: null,
      never: Number.POSITIVE_INFINITY,
      $lsn: 'a text of the operator',
      $$set: [undefined, { $: 1n }],
    };
    expect(decode(JSON.parse(JSON.stringify(encode(given))) as Json)).toStrictEqual(given);
  });

  test('writes a position as PostgreSQL does', () => {
    expect(encode(lsn(0x16b374d848n))).toEqual({ $lsn: '16/B374D848' });
  });

  test('never shows a secret, and gives back one that is hidden', () => {
    const back = decode(encode({ password: new Secret('opensesame'), token: 'opensesame' }));
    expect(JSON.stringify(back)).not.toContain('opensesame');
    expect(back).toHaveProperty('password', expect.any(Secret));
  });

  test('tells no change of equals, and any change so that it can be made again', () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        expect(difference(before, structuredClone(before))).toBeUndefined();
        expect(JSON.stringify(patched(before, difference(before, after)))).toBe(
          JSON.stringify(after),
        );
      }),
    );
  });

  test('refuses a change that fits nothing', () => {
    expect(() => patched({ a: 1 }, { b: 2 })).toThrow('fits no key b');
    expect(() => patched(7, { b: 2 })).toThrow('fits nothing');
    expect(() => patched({ a: 1 }, { $at: { 0: 2 } })).toThrow('fits no list');
    expect(() => patched([1], { $at: { 1: 2 } })).toThrow('fits no key 1');
  });
});

describe('the journal of decisions', () => {
  test('lets every decision be made again, whatever was seen', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(arbitraryView, arbitraryMemory), { minLength: 1 }),
        (moments) => {
          const journal = new Recorded();
          for (const [view, memory] of moments) journal.decide(view, memory);
          expect(journal.logger.lines).toEqual([]);
          const { differences, skipped, decided } = replayJournal(journal.lines);
          expect(differences).toEqual([]);
          expect({ skipped, decided }).toEqual({ skipped: 0, decided: journal.lines.length });
        },
      ),
    );
  });

  test('can be read from where a file was cut, and counts what it leaves out', () => {
    const journal = new Recorded();
    for (let at = 0; at < 200; at += 1)
      journal.decide({ ...aView(holding(), primary()), now: instant(1_000_000 + at * 1000) });
    const { differences, skipped, decided } = replayJournal(journal.lines.slice(10));
    expect(differences).toEqual([]);
    expect(skipped).toBe(54);
    expect(decided).toBe(136);
  });

  test('leaves out a line that a crash has torn, and those that rest on it', () => {
    const journal = new Recorded();
    for (let at = 0; at < 70; at += 1)
      journal.decide({ ...aView(holding(), primary()), now: instant(1_000_000 + at * 1000) });
    const lines = journal.lines.map((line, at) => (at === 60 ? line.slice(0, 30) : line));
    expect(replayJournal(lines)).toMatchObject({ skipped: 4, decided: 66, differences: [] });
  });

  test('writes the same decision once a second, and another at once', () => {
    const journal = new Recorded();
    const leads = aView(holding(), primary());
    const at = (millis: number): View => ({ ...leads, now: instant(leads.now + millis) });
    for (const millis of [0, 10, 990, 1000, 1500]) journal.decide(at(millis));
    expect(journal.lines).toHaveLength(2);
    journal.decide({ ...at(1510), held: undefined });
    expect(journal.lines).toHaveLength(3);
  });

  test('says only what has changed, so that a quiet day is small', () => {
    const journal = new Recorded();
    const leads = aView(holding(), primary());
    for (let at = 0; at < 60; at += 1)
      journal.decide({ ...leads, now: instant(leads.now + at * 1000) });
    expect(journal.lines[0]?.length).toBeGreaterThan(3000);
    expect(journal.lines[1]?.length).toBeLessThan(500);
  });

  test('can be read by people, too', () => {
    const journal = new Recorded();
    journal.decide(aView(holding(), primary()));
    expect(journal.entry(0)).toMatchObject({
      v: 1,
      at: '2023-11-14T22:13:20.000Z',
      member: 'pg2',
      rule: 'R350',
      name: 'leading',
      version: '1.2.3',
      sequence: 1,
    });
  });

  test('shows no secret, and no text of commands, parameters and the dynamic configuration', () => {
    const hidden = 'opensesame';
    const login = { username: 'u', password: new Secret(hidden), options: { sslkey: hidden } };
    const settings = someSettings({
      tags: { published: { api_token: hidden } },
      postgres: {
        superuser: login,
        replication: login,
        rewind: { ...login, sslPassword: new Secret(hidden) },
        customConf: hidden,
        parameters: { archive_command: `env AWS_SECRET_ACCESS_KEY=${hidden} wal-g` },
        clusterParameters: { x: hidden },
        recoveryConf: { restore_command: hidden },
        pgHba: [hidden],
        pgIdent: [hidden],
        callbacks: { on_start: hidden },
        prePromote: hidden,
        beforeStop: hidden,
        basebackupOptions: [hidden],
        rewindOptions: [hidden],
        replicaMethods: [
          {
            name: 'own',
            command: hidden,
            noParams: false,
            keepData: false,
            noLeader: false,
            parameters: { x: hidden },
          },
        ],
      },
    });
    const record = aRecord({
      config: present({ postgresql: { parameters: { archive_command: hidden } } }),
    });
    const facts = primary({ primaryConninfo: `host=x password=${hidden}` });
    const journal = new Recorded();
    journal.decide({ ...aView(holding(), facts), settings, cluster: observed(record) });
    expect(journal.lines.join('')).toContain('/data');
    expect(journal.lines.join('')).not.toContain(hidden);
    expect(replayJournal(journal.lines).differences).toEqual([]);
  });

  test('says when something is decided otherwise now, and what', () => {
    const journal = new Recorded();
    journal.decide(aView(holding(), primary()));
    const line = JSON.stringify({ ...journal.entry(0), rule: 'R530', actions: [] });
    const { differences } = replayJournal([line]);
    expect(differences[0]).toContain('line 1 (2023-11-14T22:13:20.000Z, pg2): rule');
    expect(differences[0]).toContain('then: "R530"');
    expect(differences[0]).toContain('now:  "R350"');
  });

  test('of another format is refused', () => {
    expect(() => replayJournal(['{"v":2}'])).toThrow('line 1 is no entry of format 1');
  });

  test('tells once that something cannot be written, and goes on', () => {
    const journal = new Recorded();
    const odd = { ...aView(holding(), primary()), lapsedId: Symbol('odd') as unknown as string };
    journal.decide(odd);
    journal.decide(odd);
    journal.decide(aView(holding(), primary()));
    expect(journal.logger.lines.map(({ message }) => message)).toEqual([
      'a decision could not be journaled',
    ]);
    expect(replayJournal(journal.lines)).toMatchObject({ decided: 1, differences: [] });
  });
});
