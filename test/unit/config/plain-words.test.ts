import { expect, test } from 'vitest';
import { readFragment, readYaml } from '../../../src/config/read-yaml.ts';

// As PyYAML reads them, and so Patroni: a number with an exponent has a point and a sign.
test.each<[string, unknown]>([
  ['e0', 'e0'],
  ['e1', 'e1'],
  ['E5', 'E5'],
  ['-e1', '-e1'],
  ['.e1', '.e1'],
  ['1e5', '1e5'],
  ['1.5e3', '1.5e3'],
  ['1.5e+3', 1500],
  ['-1.e+2', -100],
  ['.5e-1', 0.05],
  ['1_0.0E+1', 100],
  ['12', 12],
  ['1.5', 1.5],
])('the plain word %s is read as %j', (word, expected) => {
  expect(readYaml(`scope: ${word}\n`, 'x.yml').layer.tree).toEqual({ scope: expected });
  expect(readFragment(word)?.value).toBe(expected);
});
