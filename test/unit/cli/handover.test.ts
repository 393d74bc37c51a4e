import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bench } from './bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.stop());

const SWITCHOVER = ['switchover', 'demo'];
const FORCED = [...SWITCHOVER, '--candidate', 'node2', '--force'];

function switchesTo(leader: string): () => void {
  return () => bench.consul.set('demo/leader', leader);
}

const calls = (): string[] =>
  bench.members.flatMap(({ name, calls: made }) =>
    made.map(({ method, path }) => `${name} ${method} ${path}`),
  );

describe('switchover', () => {
  test('posts to the leader and shows the cluster before and after, with the write gap', async () => {
    const answer = {
      outcome: 'done',
      message: 'Successfully switched over to "node2"',
      details: { leader: 'node2', write_gap_ms: 212.4 },
    };
    bench.member('node1').on('POST /switchover', 200, answer, switchesTo('node2'));
    const { code, out, err } = await bench.run(FORCED);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(bench.member('node1').calls[0]?.body).toEqual({ leader: 'node1', candidate: 'node2' });
    expect(out).toMatch(/^Current cluster topology\n\+ Cluster/);
    expect(out).toContain('Successfully switched over to "node2" (no writes for 212 ms)\n');
    expect(out.slice(out.indexOf('Successfully'))).toMatch(/node2 .*Leader/);
  });

  test('understands the plain text of Patroni', async () => {
    bench.member('node1').on('POST /switchover', 200, 'Successfully switched over to "node2"');
    const { code, out } = await bench.run(FORCED);
    expect(code).toBe(0);
    expect(out).toContain('Successfully switched over to "node2"\n');
  });

  test('gives a program the outcome as a row and nothing else', async () => {
    bench.member('node1').on('POST /switchover', 200, {
      outcome: 'done',
      message: 'ok',
      details: { write_gap_ms: 5 },
    });
    const { out } = await bench.run([...FORCED, '--format', 'json']);
    expect(JSON.parse(out)).toEqual([
      {
        Cluster: 'demo',
        Member: 'node1',
        Outcome: 'done',
        Message: 'ok',
        Details: { write_gap_ms: 5 },
      },
    ]);
  });

  test.each([
    [412, 'switchover is not possible: no good candidates have been found', 1],
    [503, 'Switchover failed', 1],
    [400, 'candidate is missing', 1],
    [401, 'not authenticated', 1],
    [500, 'oops', 1],
  ])(
    'a refusal with status %i exits %s and tells the reason on stderr',
    async (status, text, exit) => {
      bench.member('node1').on('POST /switchover', status, text);
      const { code, err } = await bench.run(FORCED);
      expect(code).toBe(exit);
      expect(err).toContain(`Error: switchover failed (status ${status}): ${text}\nHint: `);
    },
  );

  test.each([
    [503, { outcome: 'failed', message: 'Switchover status unknown after 30 s' }],
    [503, { outcome: 'failed', message: 'no outcome after 60 s; see "pgbaton explain"' }],
    [503, 'Switchover status unknown after 60 seconds'],
    [504, 'gateway timeout'],
  ])('an outcome that the agent does not know is exit 5: %i %j', async (status, body) => {
    bench.member('node1').on('POST /switchover', status, body);
    expect((await bench.run([...FORCED, '--wait-timeout', '0.5'])).code).toBe(5);
  });

  test('the write gap is told once', async () => {
    const message = 'Successfully switched over to "node2"; writes were stopped for 212 ms';
    bench.member('node1').on('POST /switchover', 200, {
      outcome: 'done',
      message,
      details: { write_gap_ms: 212 },
    });
    expect((await bench.run(FORCED)).out).toContain(`${message}\n`);
  });

  test('a refusal as JSON carries its message', async () => {
    bench.member('node1').on('POST /switchover', 412, {
      outcome: 'refused',
      cause: 'precondition',
      message: 'node2 lags by 3 GB',
    });
    const { code, err } = await bench.run(FORCED);
    expect(code).toBe(1);
    expect(err).toContain('node2 lags by 3 GB');
  });

  test('asks for primary, candidate and confirmation on a terminal', async () => {
    bench.member('node1').on('POST /switchover', 200, 'done', switchesTo('node2'));
    const { code, err } = await bench.run(SWITCHOVER, { typed: ['', 'node2', 'y'] });
    expect(code).toBe(0);
    expect(err).toContain('Primary [node1]: ');
    expect(err).toContain('Candidate (node2) []: ');
    expect(err).toContain(
      'switchover cluster demo to node2, demoting current leader node1? [y/N]: ',
    );
    expect(calls()).toEqual(['node1 POST /switchover']);
  });

  test.each([
    ['no', ['', 'node2', 'n']],
    ['nothing', ['', 'node2', '']],
    ['the end of input', ['', 'node2']],
    ['the end of input at once', []],
  ])('%s as confirmation aborts with 4 and sends nothing', async (_, typed) => {
    const { code, err } = await bench.run(SWITCHOVER, { typed });
    expect(code).toBe(4);
    expect(err).toContain('Error: Aborted.\nHint: Nothing was changed.');
    expect(calls()).toEqual([]);
  });

  test('without a terminal and without --force it is a usage error', async () => {
    const { code, err } = await bench.run([...SWITCHOVER, '--candidate', 'node2'], {
      piped: 'y\ny\n',
    });
    expect(code).toBe(2);
    expect(err).toContain('Hint: Give --force');
    expect(calls()).toEqual([]);
  });

  test.each([
    [
      ['--leader', 'node2'],
      'Member node2 is not the leader of cluster demo.',
      'The leader is node1.',
      1,
    ],
    [['--candidate', 'node1'], 'node1 is the leader already.', 'another member', 1],
    [['--candidate', 'node3'], 'node3 is tagged nofailover', 'Remove the tag', 1],
    [['--candidate', 'nod2'], 'no member "nod2"', 'Did you mean "node2"?', 3],
  ])('%j is refused before anything is sent', async (options, message, hint, exit) => {
    const { code, err } = await bench.run([...SWITCHOVER, ...options, '--force']);
    expect(code).toBe(exit);
    expect(err).toContain(message);
    expect(err).toContain(hint);
    expect(calls()).toEqual([]);
  });

  test('without a leader it points to failover', async () => {
    bench.consul.keys.delete('service/demo/leader');
    const { code, err } = await bench.run(FORCED);
    expect(code).toBe(1);
    expect(err).toContain('pgbaton failover --candidate');
  });

  test.each([
    ['to node2', { handoff: 'node2' }, 'the last one has handed over to node2'],
    ['to nobody by name', {}, 'the last one has handed over.'],
  ])('in the moment of a hand-over %s it asks to wait', async (_, released, message) => {
    bench.consul.keys.delete('service/demo/leader');
    const lease = { id: 'g', n: 4, incarnation: 'i', beat: 9, ttl_ms: 3000, released };
    bench.consul.set('demo/lease', lease);
    const { code, err } = await bench.run(FORCED);
    expect(code).toBe(1);
    expect(err).toContain(message);
    expect(err).toContain('Hint: Wait until "pgbaton list" shows a leader');
    expect(err).not.toContain('failover');
    expect(calls()).toEqual([]);
  });

  test.each([
    ['forced', [...SWITCHOVER, '--force'], []],
    ['asked', SWITCHOVER, ['', '', '', '', '', '']],
  ])(
    'in maintenance mode it wants a candidate before anything is sent: %s',
    async (_, argv, typed) => {
      bench.consul.set('demo/config', { pause: true });
      const { code, err } = await bench.run(argv, typed.length === 0 ? {} : { typed });
      expect(code).toBe(typed.length === 0 ? 2 : 4);
      expect(err).toContain(
        typed.length === 0 ? 'only to a specific candidate' : 'Candidate (node2): ',
      );
      expect(calls()).toEqual([]);
    },
  );

  test('an unreachable leader is exit 3, and nobody else is asked', async () => {
    await bench.member('node1').stop();
    const { code, err } = await bench.run(FORCED);
    expect(code).toBe(3);
    expect(err).toMatch(/Error: switchover failed: .*node1.*ECONNREFUSED/);
    expect(calls()).toEqual([]);
    await bench.member('node1').restart();
  });

  test('a lost answer is settled by what Consul says', async () => {
    bench.member('node1').onRaw('POST /switchover', (response) => {
      bench.consul.set('demo/leader', 'node2');
      response.destroy();
    });
    const { code, out } = await bench.run(FORCED);
    expect(code).toBe(0);
    expect(out).toContain('but node2 leads now.');
  });

  test('an interrupt while it runs is an unknown outcome, exit 5', async () => {
    const run = bench.run(FORCED, {
      onOutput: (_, session) => {
        interrupt = () => session.interrupt();
      },
    });
    let interrupt = (): void => undefined;
    bench.member('node1').onRaw('POST /switchover', () => interrupt());
    const { code, err } = await run;
    expect(code).toBe(5);
    expect(err).toContain('interrupted while node1 was at it; what was asked for goes on');
  });

  test('a silent leader is given up after --wait-timeout, exit 5', async () => {
    bench.member('node1').onRaw('POST /switchover', () => undefined);
    const { code, err } = await bench.run([...FORCED, '--wait-timeout', '1']);
    expect(code).toBe(5);
    expect(err).toContain('did not answer in time');
  });

  test('passes a schedule on and lets the agent decide', async () => {
    bench.member('node1').on('POST /switchover', 400, 'scheduled actions are not supported yet');
    const { code, err } = await bench.run([...FORCED, '--scheduled', '2030-01-01T00:00+00:00']);
    expect(code).toBe(1);
    expect(err).toContain('scheduled actions are not supported yet');
    expect(err).toContain('Hint: Nothing was changed');
    expect(bench.member('node1').calls[0]?.body).toHaveProperty('scheduled_at');
  });

  test('sends the credentials of ctl', async () => {
    bench.member('node1').on('POST /switchover', 200, 'done');
    const env = { PATRONI_CTL_USERNAME: 'admin', PATRONI_CTL_PASSWORD: 'secret' };
    const { out, err } = await bench.run(FORCED, { env });
    const expected = `Basic ${Buffer.from('admin:secret').toString('base64')}`;
    expect(bench.member('node1').calls[0]?.authorization).toBe(expected);
    expect(out + err).not.toContain('secret');
  });
});

describe('failover', () => {
  const FAILOVER = ['failover', 'demo', '--candidate', 'node2', '--force'];

  test('posts to the leader, naming the candidate only', async () => {
    bench.member('node1').on('POST /failover', 200, 'Successfully failed over to "node2"');
    expect((await bench.run(FAILOVER)).code).toBe(0);
    expect(bench.member('node1').calls[0]?.body).toEqual({ candidate: 'node2' });
  });

  test('posts to the candidate when nobody leads', async () => {
    bench.consul.keys.delete('service/demo/leader');
    bench.member('node2').on('POST /failover', 200, 'Successfully failed over to "node2"');
    expect((await bench.run(FAILOVER)).code).toBe(0);
    expect(calls()).toEqual(['node2 POST /failover']);
  });

  test('posts to the candidate when the leader is provably not there', async () => {
    await bench.member('node1').stop();
    bench.member('node2').on('POST /failover', 200, 'Successfully failed over to "node2"');
    expect((await bench.run(FAILOVER)).code).toBe(0);
    expect(calls()).toEqual(['node2 POST /failover']);
    await bench.member('node1').restart();
  });

  test('does not ask a second member when the first may have acted', async () => {
    bench.member('node1').onRaw('POST /failover', (response) => response.destroy());
    const { code } = await bench.run([...FAILOVER, '--wait-timeout', '1']);
    expect(code).toBe(5);
    expect(calls()).toEqual(['node1 POST /failover']);
  });

  test('needs a candidate', async () => {
    const { code, err } = await bench.run(['failover', 'demo', '--force']);
    expect(code).toBe(2);
    expect(err).toContain('Hint: Give --candidate, one of: node2.');
  });

  test('warns of lost writes when it asks', async () => {
    const { code, err } = await bench.run(['failover', 'demo'], { typed: ['node2', 'n'] });
    expect(code).toBe(4);
    expect(err).toContain('Writes that it has not received are lost.');
  });
});

describe('TLS', () => {
  test('a server that is no trusted TLS server is told apart, exit 3', async () => {
    const plain = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    const { port } = plain.address() as AddressInfo;
    bench.publish('node1', 1, { role: 'primary', api_url: `https://127.0.0.1:${port}/patroni` });
    const { code, err } = await bench.run(FORCED);
    plain.close();
    expect(code).toBe(3);
    expect(err).toContain('no trusted TLS connection to node1');
    expect(err).toContain('--insecure');
  });

  test('an address that is none is told', async () => {
    bench.publish('node1', 1, { role: 'primary', api_url: 'file:///etc/passwd' });
    const { code, err } = await bench.run(FORCED);
    expect(code).toBe(3);
    expect(err).toContain('publishes no usable REST address');
  });
});
