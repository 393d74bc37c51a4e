import { execFileSync } from 'node:child_process';
import { chmod, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { becomePostgresUser } from '../harness/postgres-privileges.ts';
import { TestCluster } from '../harness/postgres-server.ts';
import type { TestMember } from '../harness/postgres-server.ts';

const OPENSSL = 'openssl';
const owner = await stat('/var/lib/postgresql');
becomePostgresUser(owner).close();

describe('ways to log in', () => {
  let cluster: TestCluster;
  let primary: TestMember;

  beforeAll(async () => {
    cluster = await TestCluster.create();
    const [cert, key] = [join(cluster.root, 'server.crt'), join(cluster.root, 'server.key')];
    const request = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost';
    const names = ['-addext', 'subjectAltName=DNS:localhost', '-out', cert, '-keyout', key];
    execFileSync(OPENSSL, [...request.split(' '), ...names], { stdio: 'ignore' });
    await chmod(key, 0o600);
    primary = await cluster.member('alpha', {
      parameters: { fsync: false, ssl: true, ssl_cert_file: cert, ssl_key_file: key },
      listenAddresses: 'localhost',
      pgHba: [
        'local all all peer',
        'hostssl all all all scram-sha-256',
        'hostssl replication all all scram-sha-256',
      ],
    });
    await primary.bootstrap();
  });
  afterAll(() => cluster.close());

  const withMode = (sslmode: string, more = {}) => ({
    superuser: { ...primary.settings.superuser, options: { sslmode, ...more } },
  });

  it('by TLS where the server insists on it', async () => {
    expect((await primary.postgres.probe(2000)).kind).toBe('answered');
    const text = await readFile(join(primary.dataDir, 'pg_hba.conf'), 'utf8');
    expect(text).toContain('hostssl replication all all scram-sha-256\n');
    const history = await primary.postgres.readSourceHistory(
      { ...primary.upstream(), host: 'localhost' },
      2000,
    );
    expect(history.ok).toBe(true);
  });

  it.each([
    ['require', {}, 'answered'],
    // The server is alive, and says no; or speaks TLS with a certificate that nobody knows.
    ['disable', {}, 'refusing'],
    ['verify-full', {}, 'stuck'],
  ])('with sslmode %s', async (mode, more, kind) => {
    primary.configure(withMode(mode, more));
    expect((await primary.postgres.probe(2000)).kind).toBe(kind);
  });

  it('with a certificate that is verified', async () => {
    primary.configure(withMode('verify-full', { sslrootcert: join(cluster.root, 'server.crt') }));
    expect((await primary.postgres.probe(2000)).kind).toBe('answered');
  });

  it('through the socket, without a password', async () => {
    primary.configure({ useUnixSocket: true });
    expect((await primary.postgres.probe(2000)).kind).toBe('answered');
    const directories = await readdir(join(primary.stateDir, 'socket'));
    expect(directories).toContain(`.s.PGSQL.${primary.port}`);
    primary.configure({
      useUnixSocket: false,
      superuser: { ...primary.settings.superuser, password: undefined },
    });
    expect((await primary.postgres.probe(2000)).kind).toBe('answered');
  });

  it('a wrong password is told, and is a sign of life', async () => {
    const superuser = { ...primary.settings.superuser, options: {}, password: new Secret('wrong') };
    primary.configure({ superuser });
    const answer = await primary.postgres.probe(2000);
    expect(answer).toEqual({
      kind: 'refusing',
      reason: expect.stringContaining('password authentication failed'),
    });
  });
});
