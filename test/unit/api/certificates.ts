import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificates {
  readonly dir: string;
  readonly ca: string;
  readonly otherCa: string;
  readonly server: Pair;
  /** Same authority and address, another key. */
  readonly renewed: Pair;
  readonly client: Pair;
  readonly encryptedKey: { readonly path: string; readonly passphrase: string };
  remove(): void;
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

const OPENSSL = 'openssl';
const PASSPHRASE = 'open-sesame';

/** Authorities and certificates for 127.0.0.1, in a directory that `remove` takes away. */
export function createCertificates(): Certificates {
  const dir = mkdtempSync(join(tmpdir(), 'pgbaton-certificates-'));
  const openssl = (...args: string[]): void => {
    execFileSync(OPENSSL, args, { cwd: dir, stdio: 'pipe' });
  };
  const file = (name: string): string => join(dir, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const authority = (name: string): void => {
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
    );
  };
  writeFileSync(file('san.cnf'), 'subjectAltName=IP:127.0.0.1\n');
  const pair = (name: string): Pair => {
    openssl(
      'req',
      ...newKey,
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'san.cnf',
      '-out',
      `${name}.crt`,
    );
    return { cert: file(`${name}.crt`), key: file(`${name}.key`) };
  };
  authority('ca');
  authority('other');
  const server = pair('server');
  openssl(
    'ec',
    '-in',
    'server.key',
    '-aes256',
    '-passout',
    `pass:${PASSPHRASE}`,
    '-out',
    'encrypted.key',
  );
  return {
    dir,
    ca: file('ca.crt'),
    otherCa: file('other.crt'),
    server,
    renewed: pair('renewed'),
    client: pair('client'),
    encryptedKey: { path: file('encrypted.key'), passphrase: PASSPHRASE },
    remove: () => {
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
