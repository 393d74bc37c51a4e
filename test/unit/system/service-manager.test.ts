import { beforeEach, describe, expect, test } from 'vitest';
import {
  READY_WITHIN_MILLIS,
  ServiceManager,
} from '../../../src/adapters/system/service-manager.ts';
import type { DecidedMember } from '../../../src/adapters/system/service-manager.ts';
import { instant } from '../../../src/core/time.ts';

const SOCKET = '/run/systemd/notify';
const WATCHDOG_MILLIS = 30_000;
const STANDING_BY: DecidedMember = {
  up: () => false,
  status: 'R590 standing-by: nobody leads',
  quietMillis: 6000,
};
const LEADING: DecidedMember = {
  up: () => true,
  status: 'R350 leading: 2 standbys stream',
  quietMillis: 6000,
};

let nowMillis: number;
let sent: string[][];
let warnings: string[];
let failure: string | undefined;
let environment: Record<string, string>;

beforeEach(() => {
  nowMillis = 1000;
  sent = [];
  warnings = [];
  failure = undefined;
  environment = { NOTIFY_SOCKET: SOCKET, WATCHDOG_USEC: String(WATCHDOG_MILLIS * 1000), HOME: '/' };
});

const create = (): ServiceManager =>
  new ServiceManager({
    environment,
    clock: { now: () => instant(nowMillis), wall: () => 0, timer: () => () => undefined },
    logger: { log: (level, message) => warnings.push(`${level}: ${message}`) },
    hide: (text) => text.replaceAll('secret', '[redacted]'),
    send: (socket, variables) => {
      expect(socket).toBe(SOCKET);
      sent.push([...variables]);
      return Promise.resolve(failure);
    },
  });

/** Decisions as the loop makes them: again and again for some time. Answers what was said meanwhile. */
async function decide(
  manager: ServiceManager,
  member: DecidedMember,
  forMillis = 0,
): Promise<string[]> {
  const before = sent.length;
  const until = nowMillis + forMillis;
  for (;;) {
    manager.decided(member);
    await Promise.resolve();
    await Promise.resolve();
    if (nowMillis >= until) return sent.slice(before).flat();
    nowMillis += 500;
  }
}

describe('ready', () => {
  test('is said once, with the decision that finds the member up', async () => {
    const manager = create();
    expect(await decide(manager, STANDING_BY, 5000)).not.toContain('READY=1');
    expect(await decide(manager, LEADING, 60_000)).toContain('READY=1');
    expect(sent.flat().filter((text) => text === 'READY=1')).toHaveLength(1);
  });

  test('is said together with the status of that moment', async () => {
    const manager = create();
    await decide(manager, STANDING_BY);
    nowMillis += 1;
    expect(await decide(manager, LEADING)).toEqual(['READY=1', `STATUS=${LEADING.status}`]);
  });

  test('is said in the end though the member is not up: what it waits for may wait for that', async () => {
    const manager = create();
    expect(await decide(manager, STANDING_BY, READY_WITHIN_MILLIS - 500)).not.toContain('READY=1');
    expect(await decide(manager, STANDING_BY, 1000)).toContain('READY=1');
  });

  test('is said again until it was heard, ever more rarely, and complained about once', async () => {
    const manager = create();
    failure = 'Connection refused';
    const said = await decide(manager, LEADING, 600_000);
    const attempts = said.filter((text) => text === 'READY=1').length;
    expect(attempts).toBeGreaterThan(5);
    expect(attempts).toBeLessThan(25);
    expect(warnings).toEqual(['warn: systemd was not told: Connection refused']);
    failure = undefined;
    expect(await decide(manager, LEADING, 60_000)).toContain('READY=1');
    expect(await decide(manager, LEADING, 120_000)).not.toContain('READY=1');
  });
});

describe('the watchdog', () => {
  const pings = (said: readonly string[]): number =>
    said.filter((text) => text === 'WATCHDOG=1').length;

  test('is fed three times in its period as long as decisions are made', async () => {
    const said = await decide(create(), LEADING, 10 * WATCHDOG_MILLIS);
    expect(pings(said)).toBeGreaterThanOrEqual(30);
    expect(pings(said)).toBeLessThanOrEqual(31);
  });

  test('is fed by nothing but a decision', async () => {
    const manager = create();
    await decide(manager, LEADING);
    const before = sent.length;
    nowMillis += 100 * WATCHDOG_MILLIS;
    manager.reloading();
    manager.reloaded();
    manager.stopping();
    await Promise.resolve();
    expect(pings(sent.slice(before).flat())).toBe(0);
  });

  test('gets a longer period when a healthy agent may be quiet for longer', async () => {
    const manager = create();
    expect(await decide(manager, { ...LEADING, quietMillis: 100_000 })).toContain(
      'WATCHDOG_USEC=200000000',
    );
    const said = await decide(manager, { ...LEADING, quietMillis: 100_000 }, 600_000);
    expect(said.filter((text) => text.startsWith('WATCHDOG_USEC'))).toEqual([]);
    expect(pings(said)).toBeLessThanOrEqual(9);
  });

  test.each([
    ['the unit has none', { WATCHDOG_USEC: '' }],
    ['it is meant for another process', { WATCHDOG_PID: String(process.pid + 1) }],
  ])('is left alone when %s', async (_title, variables) => {
    Object.assign(environment, variables);
    expect(pings(await decide(create(), LEADING, 100_000))).toBe(0);
  });
});

describe('the status', () => {
  test('follows the decision, once a second at most; figures alone are no news', async () => {
    const manager = create();
    await decide(manager, LEADING);
    expect(sent.flat()).toContain('STATUS=R350 leading: 2 standbys stream');
    const more = await decide(
      manager,
      { ...LEADING, status: 'R350 leading: 1 standbys stream' },
      5000,
    );
    expect(more.filter((text) => text.startsWith('STATUS='))).toEqual([]);
    manager.decided({ ...LEADING, status: 'R110 no-valid-lease: it is over' });
    manager.decided({ ...LEADING, status: 'R590 standing-by: nobody leads' });
    expect(await decide(manager, { ...LEADING, status: 'R410 takeover: it may' }, 2000)).toContain(
      'STATUS=R410 takeover: it may',
    );
    expect(sent.flat().filter((text) => text.startsWith('STATUS=R590'))).toEqual([]);
  });

  test('is one short line without a secret', async () => {
    const status = `R900 hold: a secret\nin ${'many '.repeat(100)}words`;
    expect(await decide(create(), { ...LEADING, status })).toContainEqual(
      expect.stringMatching(/^STATUS=R900 hold: a \[redacted\] in many [a-z ]{200,270}$/),
    );
  });
});

test('a reload begins and ends, at a time that the clock of systemd knows', async () => {
  const manager = create();
  await decide(manager, LEADING);
  const before = Number(process.hrtime.bigint() / 1000n);
  manager.reloading();
  await Promise.resolve();
  const [reloading, time] = sent.at(-1) ?? [];
  expect(reloading).toBe('RELOADING=1');
  expect(Number(time?.replace('MONOTONIC_USEC=', ''))).toBeGreaterThanOrEqual(before);
  await Promise.resolve();
  manager.reloaded();
  expect(sent.at(-1)).toEqual(['READY=1']);
});

test('stopping is said once, and nobody is ready after it', async () => {
  const manager = create();
  await decide(manager, STANDING_BY);
  manager.stopping();
  manager.stopping();
  const said = await decide(manager, LEADING, 60_000);
  expect(sent.flat().filter((text) => text === 'STOPPING=1')).toHaveLength(1);
  expect(said).not.toContain('READY=1');
});

test('without NOTIFY_SOCKET nothing is said', async () => {
  Reflect.deleteProperty(environment, 'NOTIFY_SOCKET');
  const manager = create();
  await decide(manager, LEADING, 60_000);
  manager.reloading();
  manager.reloaded();
  manager.stopping();
  expect(sent).toEqual([]);
});

test('what the agent starts does not inherit the variables', () => {
  create();
  expect(environment).toEqual({ HOME: '/' });
});

test('a sender that throws harms nobody', async () => {
  const manager = new ServiceManager({
    environment,
    clock: { now: () => instant(nowMillis), wall: () => 0, timer: () => () => undefined },
    logger: { log: (_level, message) => warnings.push(message) },
    hide: (text) => text,
    send: () => Promise.reject(new Error('spawn ENOMEM')),
  });
  await decide(manager, LEADING, 10_000);
  expect(warnings).toEqual(['systemd was not told: spawn ENOMEM']);
});
