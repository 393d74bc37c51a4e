import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bench } from './bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.stop());

const calls = (): string[] =>
  bench.members.flatMap(({ name, calls: made }) =>
    made.map(({ method, path }) => `${name} ${method} ${path}`),
  );

const answerAll = (request: string, status: number, body: unknown): void => {
  for (const member of bench.members) member.on(request, status, body);
};

describe('restart', () => {
  test('restarts all members one after another after a yes', async () => {
    answerAll('POST /restart', 200, 'restarted successfully');
    const { code, out, err } = await bench.run(['restart', 'demo'], { typed: ['y'] });
    expect(code).toBe(0);
    expect(err).toContain('Are you sure you want to restart members node1, node2, node3? [y/N]: ');
    expect(calls()).toEqual(['node1 POST /restart', 'node2 POST /restart', 'node3 POST /restart']);
    expect(out).toContain('Success: restart on member node3\n');
  });

  test('hands filters on in the words of the REST API', async () => {
    answerAll('POST /restart', 200, 'restarted successfully');
    bench.publish('node2', 2, { pending_restart: true });
    const argv = [
      'restart',
      'demo',
      '--pending',
      '--timeout',
      '60',
      '--pg-version',
      '15.4',
      '--force',
    ];
    expect((await bench.run(argv)).code).toBe(0);
    expect(calls()).toEqual(['node2 POST /restart']);
    expect(bench.member('node2').calls[0]?.body).toEqual({
      restart_pending: true,
      timeout: 60,
      postgres_version: '15.4',
    });
  });

  test('--pending with nothing pending is a refusal', async () => {
    const { code, err } = await bench.run(['restart', 'demo', '--pending', '--force']);
    expect(code).toBe(1);
    expect(err).toContain('No restart is pending');
    expect(calls()).toEqual([]);
  });

  test('--any takes one of the role', async () => {
    answerAll('POST /restart', 200, 'ok');
    await bench.run(['restart', 'demo', '--any', '-r', 'replica', '--force']);
    expect(calls()).toHaveLength(1);
    expect(calls()[0]).toMatch(/^node[23] POST/);
  });

  test('goes on after a refusal, and ends with the worst outcome', async () => {
    answerAll('POST /restart', 200, 'ok');
    bench.member('node1').on('POST /restart', 503, 'restart already in progress');
    const { code, out, err } = await bench.run(['restart', 'demo', '--force']);
    expect(code).toBe(1);
    expect(err).toContain('Failed: node1, status 503: restart already in progress\n');
    expect(err).toContain('Error: restart did not succeed on 1 of 3 members (node1)\nHint: ');
    expect(out).toContain('Success: restart on member node2');
  });

  test('an unreachable member is exit 3', async () => {
    answerAll('POST /restart', 200, 'ok');
    bench.publish('node2', 2, { api_url: 'http://127.0.0.1:1/patroni' });
    const { code, err } = await bench.run(['restart', 'demo', 'node2', '--force']);
    expect(code).toBe(3);
    expect(err).toContain(
      'restart did not succeed on 1 of 1 members (node2): node2 (http://127.0.0.1:1/restart)',
    );
  });

  test('stops at an unknown outcome and exits 5', async () => {
    answerAll('POST /restart', 200, 'ok');
    bench.member('node1').onRaw('POST /restart', (response) => response.destroy());
    const { code } = await bench.run(['restart', 'demo', '--force']);
    expect(code).toBe(5);
    expect(calls()).toEqual(['node1 POST /restart']);
  });

  test('gives programs a row for each member', async () => {
    answerAll('POST /restart', 200, {
      outcome: 'done',
      message: 'restarted successfully',
      details: {},
    });
    const { out, err } = await bench.run(['restart', 'demo', '--force', '-f', 'tsv']);
    expect(err).toBe('');
    expect(out.split('\n').slice(0, 2)).toEqual([
      'Cluster\tMember\tOutcome\tMessage\tDetails',
      'demo\tnode1\tdone\trestarted successfully\t',
    ]);
  });
});

describe('reload', () => {
  test('says when it will be processed', async () => {
    answerAll('POST /reload', 202, 'reload scheduled');
    const { code, out } = await bench.run(['reload', 'demo', 'node3', '--force']);
    expect(code).toBe(0);
    expect(out).toContain(
      'Reload request received for member node3 and will be processed within 10 seconds\n',
    );
  });

  test('wrong credentials come with a hint', async () => {
    answerAll('POST /reload', 401, 'no auth header received');
    const { code, err } = await bench.run(['reload', 'demo', 'node3', '--force']);
    expect(code).toBe(1);
    expect(err).toContain('Hint: Give ctl.authentication');
  });
});

describe('reinit', () => {
  const status = (state: string, job: unknown = null): unknown => ({
    state,
    role: 'replica',
    patroni: { version: '0.1.0', scope: 'demo', name: 'node2' },
    pgbaton: {
      incarnation: 'x',
      holds_lease: false,
      accepts_writes: false,
      generation: null,
      lease_left_ms: null,
      rule: 'R1',
      why: '',
      guardian: 'idle',
      postgres_seen_ms: null,
      store_seen_ms: null,
      job,
    },
  });

  test('needs a member when nobody can be asked', async () => {
    const { code, err } = await bench.run(['reinit', 'demo', '--force']);
    expect(code).toBe(2);
    expect(err).toContain('Hint: The replicas are: node2, node3.');
  });

  test('asks which member on a terminal', async () => {
    bench.member('node2').on('POST /reinitialize', 200, 'reinitialize started');
    const { code, out } = await bench.run(['reinit', 'demo'], { typed: ['node2', 'y'] });
    expect(code).toBe(0);
    expect(out).toContain('Success: reinitialize for member node2');
    expect(bench.member('node2').calls[0]?.body).toEqual({ force: false, from_leader: false });
  });

  test('offers to cancel what runs there', async () => {
    const member = bench.member('node2');
    member.on('POST /reinitialize', 503, 'reinitialize already in progress', () =>
      member.on('POST /reinitialize', 200, 'reinitialize started'),
    );
    const { code, err } = await bench.run(['reinit', 'demo', 'node2'], { typed: ['y', 'y'] });
    expect(code).toBe(0);
    expect(err).toContain('Do you want to cancel it and reinitialize anyway?');
    expect(member.calls.map(({ body }) => body)).toEqual([
      { force: false, from_leader: false },
      { force: true, from_leader: false },
    ]);
  });

  test('a refusal of the leader is exit 1', async () => {
    bench.member('node1').on('POST /reinitialize', 503, 'I am the leader, can not reinitialize');
    const { code, err } = await bench.run(['reinit', 'demo', 'node1', '--force']);
    expect(code).toBe(1);
    expect(err).toContain('I am the leader');
  });

  test('--wait shows the progress until it runs again', async () => {
    const member = bench.member('node2');
    member.on('POST /reinitialize', 200, 'reinitialize started');
    const clone = { kind: 'clone', for_ms: 10, progress: '40 %' };
    member.on('GET /patroni', 200, status('creating replica', clone), () =>
      member.on('GET /patroni', 200, status('running')),
    );
    const { code, out, err } = await bench.run(['reinit', 'demo', 'node2', '--wait', '--force']);
    expect(code).toBe(0);
    expect(err).toContain('node2: creating replica, clone, 40 %\n');
    expect(out).toContain('Reinitialize is completed on: node2');
  });

  test('--wait ends at its bound with an unknown outcome', async () => {
    const member = bench.member('node2');
    member.on('POST /reinitialize', 200, 'reinitialize started');
    member.on('GET /patroni', 200, status('creating replica'));
    const argv = ['reinit', 'demo', 'node2', '--wait', '--wait-timeout', '1', '--force'];
    const { code, err } = await bench.run(argv);
    expect(code).toBe(5);
    expect(err).toContain('still not done after 1 seconds');
  });
});
