import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bench } from './bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.stop());

async function configFile(text: string): Promise<string> {
  const path = join(bench.home, 'pgbaton.yml');
  await writeFile(path, text);
  return path;
}

describe('which cluster', () => {
  test('an unknown one fails with those that are there', async () => {
    bench.consul.set('other/initialize', '1');
    const { code, out, err } = await bench.run(['list', 'nowhere']);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toBe(
      'Error: There is no cluster "nowhere" below service in Consul.\n' +
        'Hint: The clusters below service are: demo, other.\n',
    );
  });

  test('a misspelt one fails with the nearest', async () => {
    const { code, err } = await bench.run(['history', 'dmeo']);
    expect(code).toBe(3);
    expect(err).toContain('Hint: Did you mean "demo"?');
  });

  test('none named and none configured is a usage error that lists them', async () => {
    const { code, err } = await bench.run(['list']);
    expect(code).toBe(2);
    expect(err).toContain('Hint: The clusters are: demo.');
  });

  test.each(['-c', '--config-file'])(
    '%s names a file whose scope is the default',
    async (option) => {
      const path = await configFile(
        `scope: demo\nconsul:\n  host: 127.0.0.1:${bench.consul.port}\n`,
      );
      const { code, out } = await bench.run(['list', option, path], { bare: true });
      expect(code).toBe(0);
      expect(out).toContain('Cluster: demo');
    },
  );

  test.each(['PGBATON_CONFIG_FILE', 'PATRONICTL_CONFIG_FILE'])('so does %s', async (variable) => {
    const path = await configFile(`scope: demo\nconsul:\n  host: 127.0.0.1:${bench.consul.port}\n`);
    const { code } = await bench.run(['list'], { bare: true, env: { [variable]: path } });
    expect(code).toBe(0);
  });

  test('the environment alone is enough', async () => {
    const env = { PATRONI_SCOPE: 'demo', PATRONI_CONSUL_HOST: `127.0.0.1:${bench.consul.port}` };
    expect((await bench.run(['list'], { bare: true, env })).code).toBe(0);
  });

  test('--dcs stands for -d', async () => {
    const { code } = await bench.run(['list', 'demo', '--dcs', bench.consul.url], { bare: true });
    expect(code).toBe(0);
  });

  test('DCS_URL stands for -d', async () => {
    const { code } = await bench.run(['list', 'demo'], {
      bare: true,
      env: { DCS_URL: bench.consul.url },
    });
    expect(code).toBe(0);
  });

  test('another namespace holds other clusters', async () => {
    const url = `consul://127.0.0.1:${bench.consul.port}/elsewhere/`;
    const { code, err } = await bench.run(['-d', url, 'list', 'demo'], { bare: true });
    expect(code).toBe(3);
    expect(err).toContain('Nothing is visible below elsewhere; if Consul has ACLs');
  });
});

describe('what is wrong with the configuration', () => {
  test('a missing file is a usage error', async () => {
    const { code, err } = await bench.run(['list', '-c', '/nonexistent.yml'], { bare: true });
    expect(code).toBe(2);
    expect(err).toMatch(/^Error: .*nonexistent\.yml.*\nHint: /s);
  });

  test('broken YAML names the line', async () => {
    const path = await configFile('scope: demo\nconsul:\n\thost: x\n');
    const { code, err } = await bench.run(['list', '-c', path], { bare: true });
    expect(code).toBe(2);
    expect(err).toContain('pgbaton.yml:3:');
  });

  test.each([
    ['etcd://127.0.0.1:2379', 'works with Consul'],
    ['consul://', 'no address'],
    ['consul://a:b:c', 'no address'],
    ['consul://user:secret@host', 'a host and a port only'],
  ])('%s is refused as store', async (url, expected) => {
    const { code, err } = await bench.run(['-d', url, 'list', 'demo'], { bare: true });
    expect(code).toBe(2);
    expect(err).toContain(expected);
    expect(err).not.toContain('secret');
  });

  test('a certificate file that is not there is named', async () => {
    const path = await configFile('scope: demo\nctl:\n  cacert: /nonexistent.pem\n');
    const { code, err } = await bench.run(['list', '-c', path]);
    expect(code).toBe(2);
    expect(err).toContain('/nonexistent.pem');
  });
});

describe('a Consul that does not serve', () => {
  test('unreachable', async () => {
    const { code, err } = await bench.run(['-d', 'consul://127.0.0.1:1/service', 'list', 'demo'], {
      bare: true,
    });
    expect(code).toBe(3);
    expect(err).toMatch(
      /^Error: Consul does not answer: http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED.*\nHint: /,
    );
  });

  test('the next address is tried', async () => {
    const path = await configFile(
      `scope: demo\nconsul:\n  host: "127.0.0.1:1,127.0.0.1:${bench.consul.port}"\n`,
    );
    expect((await bench.run(['list', '-c', path], { bare: true })).code).toBe(0);
  });

  test('a refused token is a refusal, and no token is shown', async () => {
    bench.consul.override = (_, response) =>
      void response.writeHead(403, { 'content-type': 'text/plain' }).end('Permission denied');
    const env = { PATRONI_CONSUL_TOKEN: 'very-secret-token' };
    const { code, err } = await bench.run(['list', 'demo'], { env });
    expect(code).toBe(1);
    expect(err).toMatch(/Permission denied\nHint: .*token/);
    expect(err).not.toContain('very-secret-token');
    expect(bench.consul.requests.at(-1)?.token).toBe('very-secret-token');
  });

  test.each([
    ['no leader', 500, 'text/plain', 'No cluster leader'],
    ['another server', 200, 'text/html', '<html>hello</html>'],
    ['another server without pages', 404, 'text/plain', 'not found'],
    ['broken JSON', 200, 'application/json', '[{'],
    ['JSON of another shape', 200, 'application/json', '[{"a": 1}]'],
  ])('%s is unreachable, never an empty cluster', async (_, status, type, body) => {
    bench.consul.override = (_request, response) => {
      if (type === 'application/json') response.setHeader('X-Consul-Index', '1');
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    const { code, err, out } = await bench.run(['list', 'demo']);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toMatch(/^Error: .*\nHint: .*\n$/);
  });

  test('one that accepts and says nothing is given up within its bound', async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const { code, err } = await bench.run(['-d', `consul://127.0.0.1:${port}`, 'list', 'demo'], {
      bare: true,
    });
    silent.close();
    expect(code).toBe(3);
    expect(err).toContain('timed out');
  });
});

describe('which members', () => {
  test('a misspelt one gets the nearest suggested', async () => {
    const { code, err } = await bench.run(['restart', 'demo', 'nod2', '--force']);
    expect(code).toBe(3);
    expect(err).toBe('Error: Cluster demo has no member "nod2".\nHint: Did you mean "node2"?\n');
    expect(bench.members.flatMap(({ calls }) => calls)).toEqual([]);
  });

  test('a member of another number is not suggested for the one that is gone', async () => {
    bench.consul.keys.delete('service/demo/members/node2');
    const { err } = await bench.run(['reinit', 'demo', 'node2', '--force']);
    expect(err).toContain('has no member "node2".\nHint: The members are: node1, node3.');
  });

  test('with a scope configured the cluster may be left out', async () => {
    bench.member('node2').on('POST /reload', 202, 'reload scheduled');
    const env = { PATRONI_SCOPE: 'demo' };
    const { code } = await bench.run(['reload', 'node2', '--force'], { env });
    expect(code).toBe(0);
    expect(bench.member('node2').calls).toHaveLength(1);
    expect(bench.member('node1').calls).toHaveLength(0);
  });

  test('with a scope configured another cluster may still be named', async () => {
    bench.consul.set('other/members/a', {
      conn_url: '',
      api_url: 'http://127.0.0.1:1/patroni',
      state: '',
      role: '',
      version: '',
    });
    const { code, err } = await bench.run(['reload', 'other', 'a', '--force'], {
      env: { PATRONI_SCOPE: 'demo' },
    });
    expect(code).toBe(3);
    expect(err).toContain('Failed: a');
  });

  test('no member with the role is an error', async () => {
    const { code, err } = await bench.run(['reload', 'demo', 'node1', '-r', 'replica', '--force']);
    expect(code).toBe(3);
    expect(err).toContain('None of the named members is a replica.');
  });
});
