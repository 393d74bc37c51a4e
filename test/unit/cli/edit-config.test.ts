import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bench } from './bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.stop());

const before = { ttl: 30, loop_wait: 10, postgresql: { parameters: { work_mem: '4MB' } } };
const EDIT = ['edit-config', 'demo'];

/** The leader takes every patch and answers with what a test says is then in force. */
function takes(after: unknown = before): void {
  bench.member('node1').on('PATCH /config', 200, after);
}
const patches = (): unknown[] =>
  bench.members.flatMap(({ calls }) => calls.map(({ body }) => body));

describe('edit-config', () => {
  test('shows a unified diff, patches through the leader and says so', async () => {
    takes({ ...before, ttl: 10 });
    const { code, out, err } = await bench.run([...EDIT, '-s', 'ttl=10', '--force']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(patches()).toEqual([{ ttl: 10 }]);
    expect(`\n${out}`).toMatchInlineSnapshot(`
      "
      --- before
      +++ after
      @@ -2,4 +2,4 @@
       postgresql:
         parameters:
           work_mem: 4MB
      -ttl: 30
      +ttl: 10
      Configuration changed
      "
    `);
  });

  test.each([
    ['a nested value', ['-s', 'postgresql.use_slots=off'], { postgresql: { use_slots: false } }],
    ['a parameter', ['-p', 'work_mem=8MB'], { postgresql: { parameters: { work_mem: '8MB' } } }],
    [
      'a dotted parameter',
      ['-p', 'pg_stat_statements.max=1000'],
      { postgresql: { parameters: { 'pg_stat_statements.max': 1000 } } },
    ],
    [
      'a dotted parameter by path',
      ['-s', 'postgresql.parameters.a.b=on'],
      { postgresql: { parameters: { 'a.b': true } } },
    ],
    ['a removal', ['-s', 'ttl=null'], { ttl: null }],
    ['a removal that empties its parents', ['-p', 'work_mem=null'], { postgresql: null }],
    ['several at once', ['-s', 'ttl=20', '-s', 'loop_wait=5'], { ttl: 20, loop_wait: 5 }],
    [
      'a value with an equals sign',
      ['-p', 'archive_command=cp a=b'],
      { postgresql: { parameters: { archive_command: 'cp a=b' } } },
    ],
  ])('sends only the difference: %s', async (_, options, patch) => {
    takes();
    expect((await bench.run([...EDIT, ...options, '--force', '-q'])).code).toBe(0);
    expect(patches()).toEqual([patch]);
  });

  test('--apply merges a file, --replace removes what the file lacks', async () => {
    takes();
    const file = join(bench.home, 'change.yml');
    await writeFile(file, 'ttl: 40\npostgresql:\n  use_slots: true\n');
    await bench.run([...EDIT, '--apply', file, '--force', '-q']);
    await bench.run([...EDIT, '--replace', file, '--force', '-q']);
    expect(patches()).toEqual([
      { ttl: 40, postgresql: { use_slots: true } },
      { ttl: 40, loop_wait: null, postgresql: { parameters: null, use_slots: true } },
    ]);
  });

  test('reads standard input for "-", and without --force only shows the difference', async () => {
    takes();
    const shown = await bench.run([...EDIT, '--apply', '-'], { piped: 'ttl: 15\n' });
    expect(shown.code).toBe(2);
    expect(shown.out).toContain('+ttl: 15');
    expect(patches()).toEqual([]);
    await bench.run([...EDIT, '--apply', '-', '--force'], { piped: 'ttl: 15\n' });
    expect(patches()).toEqual([{ ttl: 15 }]);
  });

  test('without a difference nothing is sent', async () => {
    const { code, out } = await bench.run([...EDIT, '-s', 'ttl=30', '--force']);
    expect({ code, out }).toEqual({ code: 0, out: 'Not changed\n' });
    expect(patches()).toEqual([]);
  });

  test.each([
    [['-s', 'ttl'], 'Invalid parameter setting "ttl"'],
    [['-s', '=5'], 'Invalid parameter setting'],
    [['-s', 'a..b=5'], 'Invalid parameter setting'],
    [['-s', 'ttl=[1'], 'no YAML value'],
    [['--apply', '/nonexistent.yml'], 'Cannot read /nonexistent.yml'],
  ])('%j is a usage error', async (options, message) => {
    const { code, err } = await bench.run([...EDIT, ...options, '--force']);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  test('broken YAML names the line', async () => {
    const { code, err } = await bench.run([...EDIT, '--apply', '-', '--force'], {
      piped: 'a: 1\n\tb: 2\n',
    });
    expect(code).toBe(2);
    expect(err).toContain('standard input:2:');
  });

  test('asks on a terminal; no aborts with 4', async () => {
    takes();
    const refused = await bench.run([...EDIT, '-s', 'ttl=10'], { typed: ['n'] });
    expect(refused.code).toBe(4);
    expect(patches()).toEqual([]);
    const agreed = await bench.run([...EDIT, '-s', 'ttl=10'], { typed: ['y'] });
    expect(agreed.code).toBe(0);
    expect(agreed.err).toContain('Apply these changes? [y/N]: ');
  });

  test.each([
    [
      'a slip of the pen',
      ['-s', 'tlt=10'],
      'tlt: unknown key, it has no effect (did you mean "ttl"?)',
    ],
    ['a key that nothing acts on', ['-s', 'check_timeline=on'], 'check_timeline: accepted, but'],
    [
      'a key of one host',
      ['-s', 'postgresql.data_dir=/data'],
      'postgresql.data_dir: has no effect in the dynamic configuration',
    ],
  ])('warns before it asks that %s has no effect', async (_, options, warning) => {
    const { code, err } = await bench.run([...EDIT, ...options, '-q'], { typed: ['n'] });
    expect(code).toBe(4);
    expect(err).toContain(`Warning: ${warning}`);
    expect(err.indexOf('Warning:')).toBeLessThan(err.indexOf('Apply these changes?'));
  });

  test('does not warn of what was there before', async () => {
    bench.consul.set('demo/config', { ...before, tlt: 10 });
    takes({ ...before, tlt: 10, ttl: 10 });
    const { code, err } = await bench.run([...EDIT, '-s', 'ttl=10', '--force']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  test('a list instead of settings is refused with words for this configuration', async () => {
    const { code, err } = await bench.run([...EDIT, '--replace', '-', '--force'], {
      piped: '- ttl\n',
    });
    expect(code).toBe(2);
    expect(err).toContain('expected a mapping of settings');
    expect(err).not.toContain('scope');
    expect(err).toContain('ttl: 3');
  });

  test('a concurrent change is refused and nothing is written', async () => {
    takes();
    const run = bench.run([...EDIT, '-s', 'ttl=10'], {
      typed: ['y'],
      onOutput: (text) => {
        if (text.includes('+ttl: 10')) bench.consul.set('demo/config', { ...before, ttl: 99 });
      },
    });
    const { code, err } = await run;
    expect(code).toBe(1);
    expect(err).toContain('changed by somebody else meanwhile; nothing was written');
    expect(patches()).toEqual([]);
  });

  test('a change that slipped in at the last moment is told', async () => {
    takes({ ...before, ttl: 10, loop_wait: 3 });
    const { code, err } = await bench.run([...EDIT, '-s', 'ttl=10', '--force']);
    expect(code).toBe(0);
    expect(err).toContain('Warning: somebody else changed other keys');
  });

  test('what the agent finds invalid is shown, exit 1', async () => {
    bench.member('node1').on('PATCH /config', 400, {
      outcome: 'refused',
      cause: 'invalid',
      message: 'ttl: must be at least 3 x heartbeat; set ttl to 3',
    });
    const { code, err } = await bench.run([...EDIT, '-s', 'ttl=1', '--force']);
    expect(code).toBe(1);
    expect(err).toContain('The change was not made (status 400): ttl: must be at least');
  });

  test('a lost answer is an unknown outcome, exit 5', async () => {
    bench.member('node1').onRaw('PATCH /config', (response) => response.destroy());
    const { code, err } = await bench.run([...EDIT, '-s', 'ttl=10', '--force']);
    expect(code).toBe(5);
    expect(err).toContain('Whether the change was made is not known');
  });

  test('the next member is asked when the leader is not there', async () => {
    await bench.member('node1').stop();
    bench.member('node2').on('PATCH /config', 200, { ...before, ttl: 10 });
    expect((await bench.run([...EDIT, '-s', 'ttl=10', '--force'])).code).toBe(0);
    await bench.member('node1').restart();
  });

  test('without any reachable member it says so, exit 3', async () => {
    for (const [index, name] of ['node1', 'node2', 'node3'].entries()) {
      bench.publish(name, index + 1, { api_url: 'http://127.0.0.1:1/patroni' });
    }
    const { code, err } = await bench.run([...EDIT, '-s', 'ttl=10', '--force']);
    expect(code).toBe(3);
    expect(err).toContain('No member can be reached to take the change: node1');
  });

  test('opens $EDITOR on a terminal', async () => {
    takes();
    const editor = join(bench.home, 'editor.sh');
    await writeFile(editor, '#!/bin/sh\nsed -i "s/ttl: 30/ttl: 12/" "$2"\ntest "$1" = --wait\n');
    await chmod(editor, 0o755);
    const options = { typed: ['y'], columns: 120, env: { EDITOR: `${editor} --wait` } };
    expect((await bench.run(EDIT, options)).code).toBe(0);
    expect(patches()).toEqual([{ ttl: 12 }]);
  });

  test('an editor that fails aborts', async () => {
    const options = { typed: ['y'], columns: 120, env: { EDITOR: 'false' } };
    const { code, err } = await bench.run(EDIT, options);
    expect(code).toBe(4);
    expect(err).toContain('The editor false ended with code 1.');
  });

  test('no change and no terminal is a usage error', async () => {
    const { code, err } = await bench.run(EDIT);
    expect(code).toBe(2);
    expect(err).toContain('An editor needs a terminal');
  });
});
