import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Bench } from './bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
  bench.consul.set('demo/config', { pause: true });
  bench.consul.set('demo/generation', {
    n: 4,
    id: 'g4',
    holder: 'node1',
    timeline: 2,
    switch_lsn: 1,
  });
  lease(7);
  bench.member('node1').on('PATCH /config', 200, {}, () => bench.consul.set('demo/config', {}));
});
afterEach(() => bench.stop());

function lease(beat: number, paused = true): void {
  bench.consul.set('demo/lease', {
    id: 'g4',
    n: 4,
    incarnation: 'i',
    beat,
    ttl_ms: 3000,
    ...(paused ? { paused } : {}),
  });
}

const RESUME = ['resume', 'demo', '--wait-timeout', '0.5'];

const abandoned = (): boolean =>
  bench.members.some(({ calls }) => calls.some(({ path }) => path === '/abandon'));

/** Changes the lease once the wait for its holder has begun. */
async function whileWaiting(change: () => void): Promise<void> {
  const before = bench.consul.requests.length;
  await vi.waitUntil(() => bench.consul.requests.length >= before + 3);
  change();
}

/** Ctrl-C once it waits. */
async function interrupted(args: readonly string[]): ReturnType<Bench['run']> {
  let interrupt = (): void => undefined;
  const run = bench.run(args, {
    onStart: (session) => (interrupt = () => session.interrupt()),
  });
  await whileWaiting(() => interrupt());
  return run;
}

describe('resume', () => {
  test('ends with the pause of the lease', async () => {
    const run = bench.run(['resume', 'demo']);
    await whileWaiting(() => lease(8, false));
    const { code, out } = await run;
    expect({ code, out }).toEqual({ code: 0, out: 'Success: cluster management is resumed\n' });
  });

  test('of a holder that neither beats nor answers tells how to go on', async () => {
    await bench.member('node1').stop();
    bench.consul.set('demo/config', {});
    const { code, err } = await bench.run(RESUME);
    expect(code).toBe(1);
    expect(err).toMatch(/node1 has not beaten for 0\.\d s and its agent does not answer/);
    expect(err).toContain('Start the agent of node1');
    expect(err).toContain('pgbaton resume --force');
    await bench.member('node1').restart();
  });

  test('of a holder that does not beat and answers does not ask to start it', async () => {
    bench.member('node1').on('GET /patroni', 200, {
      state: 'running',
      role: 'primary',
      patroni: { version: '0.1.0', scope: 'demo', name: 'node1' },
    });
    const { code, err } = await bench.run(RESUME);
    expect(code).toBe(1);
    expect(err).toContain(
      'though its agent answers (Postgres: running). It seems not to reach Consul',
    );
    expect(err).not.toContain('Start the agent');
  });

  test.each([[[]], [['--force']]])(
    'of a holder that beats is not known yet, and nothing is forced: %j',
    async (force) => {
      const run = bench.run([...RESUME, ...force]);
      await whileWaiting(() => lease(8));
      const { code, err } = await run;
      expect(code).toBe(5);
      expect(err).toContain('node1 beats, and has not taken the change up yet');
      expect(err).not.toContain('resume --force');
      expect(abandoned()).toBe(false);
    },
  );

  test('--force gives the lease of a silent holder up', async () => {
    bench.member('node2').on('POST /abandon', 200, 'given up');
    const { code } = await bench.run([...RESUME, '--force']);
    expect(code).toBe(0);
    expect(abandoned()).toBe(true);
  });

  test('Ctrl-C while it waits is no reason to force anything', async () => {
    const { code, err } = await interrupted(['resume', 'demo', '--force']);
    expect(code).toBe(5);
    expect(err).toContain('Interrupted');
    expect(abandoned()).toBe(false);
  });
});

describe('pause', () => {
  beforeEach(() => {
    bench.consul.set('demo/config', {});
    for (const { name } of bench.members) {
      bench.member(name).onRaw('PATCH /config', (response) => response.destroy());
    }
  });

  test('asks the next member when the leader does not answer, as a frozen one', async () => {
    bench.member('node2').on('PATCH /config', 200, {});
    const { code, out } = await bench.run(['pause', 'demo']);
    expect({ code, out }).toEqual({ code: 0, out: 'Success: cluster management is paused\n' });
    expect(bench.member('node2').calls[0]?.body).toEqual({ pause: true });
  });

  test('is not known when nobody answers', async () => {
    const { code, err } = await bench.run(['pause', 'demo']);
    expect(code).toBe(5);
    expect(err).toContain('Whether cluster management was paused is not known: node1');
  });
});

test('Ctrl-C ends pause --wait with what is known', async () => {
  bench.consul.set('demo/config', {});
  const { code, err } = await interrupted(['pause', 'demo', '--wait']);
  expect(code).toBe(5);
  expect(err).toContain('Interrupted: the change is configured');
  expect(err).not.toContain('within');
});
