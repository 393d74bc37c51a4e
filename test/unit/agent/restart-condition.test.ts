import { expect, test } from 'vitest';
import { restartCondition } from '../../../src/agent/restart-condition.ts';

test.each([
  ['15.4', 150020, 'PostgreSQL is 15.20, not below 15.4'],
  ['15.20', 150020, 'PostgreSQL is 15.20, not below 15.20'],
  ['15.21', 150020, undefined],
  ['16.0', 150020, undefined],
])('a restart only below %s of server %i', (onlyIfVersionBelow, version, unmet) => {
  const command = {
    kind: 'restart',
    onlyIfPending: false,
    onlyIfRole: undefined,
    onlyIfVersionBelow,
    timeoutMillis: undefined,
  } as const;
  expect(restartCondition(command, 'primary', version, 0)).toBe(unmet);
});
