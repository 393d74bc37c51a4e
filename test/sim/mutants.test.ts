import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FAULTS } from './faults.ts';
import { MUTANTS } from './mutants/all.ts';
import { BELTS } from './mutants/belts.ts';
import { repositoryOf } from './run-compile.mjs';

const LEAST_MUTANTS = 25;
const MOST_SEEDS = 1000;
const root = repositoryOf(new URL(import.meta.url).pathname);
const PROTOCOL_RULES = [
  ...Array.from({ length: 12 }, (_, index) => `P${index + 1}`),
  'P15',
  'P17',
  'P18',
];

describe('the deliberate bugs', () => {
  test.each([...MUTANTS, ...BELTS].map((mutant) => [mutant.name, mutant] as const))(
    '%s can still be made: each text occurs once',
    (_name, { changes }) => {
      expect(changes.length).toBeGreaterThan(0);
      for (const { file, find, replace } of changes) {
        const source = readFileSync(`${root}/${file}`, 'utf8');
        expect(source.split(find).length - 1, `${file}: ${find}`).toBe(1);
        expect(replace).not.toBe(find);
      }
    },
  );

  test('have names of their own, a number of seeds, and faults that exist', () => {
    const names = [...MUTANTS, ...BELTS].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const found = MUTANTS.filter(({ unfound }) => unfound === undefined);
    expect(found.length).toBeGreaterThanOrEqual(LEAST_MUTANTS);
    for (const { name, shows } of found) expect(shows.length, name).toBeGreaterThan(0);
    for (const { name, seeds, faults = [] } of MUTANTS) {
      expect(name).toMatch(/^[a-z0-9-]+$/);
      expect(seeds, name).toBeGreaterThan(0);
      expect(seeds, name).toBeLessThanOrEqual(MOST_SEEDS);
      for (const fault of faults) expect(FAULTS, name).toContain(fault);
    }
  });

  test.each(PROTOCOL_RULES)('leave %s of the protocol out', (rule) => {
    const leftOut = [...MUTANTS, ...BELTS].filter(({ rule: said }) => said.startsWith(`${rule}:`));
    expect(leftOut.length).toBeGreaterThan(0);
  });
});
