import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatProblem } from '../../../src/config/problem.ts';
import { validateConfig } from '../../../src/config/validate.ts';
import type { ValidationReport } from '../../../src/config/validate.ts';
import { MINIMAL, writeFiles } from './fixtures.ts';

const TOOLS = ['postgres', 'initdb', 'pg_controldata', 'pg_basebackup', 'pg_rewind', 'pg_waldump'];

interface Host {
  readonly root: string;
  readonly config: string;
  readonly validate: (network?: boolean) => Promise<ValidationReport>;
}

/** A host with stand-ins for the programs of one PostgreSQL, and a configuration that fits it. */
function host(version: string, adapt: (content: string) => string = (content) => content): Host {
  const root = writeFiles({});
  const bin = join(root, 'bin');
  mkdirSync(bin);
  for (const tool of TOOLS) {
    const file = join(bin, tool);
    writeFileSync(file, `#!/bin/sh\necho "${tool} (PostgreSQL) ${version}"\n`, { mode: 0o755 });
  }
  const content = MINIMAL.replace('/data', join(root, 'data')).replace(
    'postgresql:\n',
    `postgresql:\n  bin_dir: ${bin}\n`,
  );
  const config = join(root, 'pgbaton.yml');
  writeFileSync(config, adapt(content), { mode: 0o600 });
  const validate = (network = false): Promise<ValidationReport> =>
    validateConfig({ path: config, environment: { PATH: '/nowhere' }, network });
  return { root, config, validate };
}

const errorsOf = async (at: Host, network = false): Promise<readonly string[]> =>
  (await at.validate(network)).errors.map(formatProblem);

describe('a configuration is valid', () => {
  test('when the host can keep what it promises', async () => {
    const at = host('15.3');
    expect(await at.validate()).toEqual({
      valid: true,
      files: [at.config],
      errors: [],
      warnings: [
        'restapi: whoever reaches the port may switch over and restart; set restapi.authentication',
      ],
      notHonoured: [],
    });
  });

  test('with a data directory of the same version, or an empty one', async () => {
    const at = host('15.3');
    mkdirSync(join(at.root, 'data'));
    expect((await at.validate()).valid).toBe(true);
    writeFileSync(join(at.root, 'data', 'PG_VERSION'), '15\n');
    expect((await at.validate()).valid).toBe(true);
  });
});

describe('of PostgreSQL it is told', () => {
  test('that there are no programs, and where they may be', async () => {
    const at = host('15.3', (content) => content.replace(/bin_dir: .*/, 'bin_dir: /nowhere/bin'));
    expect((await errorsOf(at))[0]).toMatch(
      /^postgresql.bin_dir: there is no postgres in \/nowhere\/bin \((set postgresql.bin_dir: \/usr\/|install PostgreSQL 13)/,
    );
  });

  test('that one of them is missing or cannot be executed', async () => {
    const at = host('15.3');
    chmodSync(join(at.root, 'bin', 'pg_rewind'), 0o644);
    expect(await errorsOf(at)).toEqual([
      `postgresql.bin_dir: there is no pg_rewind in ${at.root}/bin (install the server package of PostgreSQL, not only its client)`,
    ]);
  });

  test('that they are too old', async () => {
    expect(await errorsOf(host('12.9'))).toEqual([
      'postgresql.bin_dir: the binaries are of PostgreSQL 12 (use PostgreSQL 13 or newer)',
    ]);
  });

  test('that the data directory is of another version', async () => {
    const at = host('99.1');
    mkdirSync(join(at.root, 'data'));
    writeFileSync(join(at.root, 'data', 'PG_VERSION'), '98\n');
    expect(await errorsOf(at)).toEqual([
      'postgresql.bin_dir: the binaries are of PostgreSQL 99, the data directory of 98 (set it to the binaries of PostgreSQL 98)',
    ]);
  });

  test('that the data directory holds something else', async () => {
    const at = host('15.3');
    mkdirSync(join(at.root, 'data'));
    writeFileSync(join(at.root, 'data', 'photo.jpg'), '');
    expect(await errorsOf(at)).toEqual([
      `postgresql.data_dir: ${at.root}/data holds something that is no data directory of PostgreSQL (name another directory; pgbaton does not touch this one)`,
    ]);
  });

  test('that the data directory is a file', async () => {
    const at = host('15.3');
    writeFileSync(join(at.root, 'data'), '');
    expect((await errorsOf(at))[0]).toContain('cannot be read (ENOTDIR)');
  });
});

test('a port in use is named, unless the network is left out', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const at = host('15.3', (content) =>
      content
        .replace('listen: 0.0.0.0:5432', `listen: 127.0.0.1:${port}`)
        .replace('listen: 0.0.0.0:8008', 'listen: 192.0.2.1:8008'),
    );
    expect(await errorsOf(at, true)).toEqual([
      'restapi.listen: 192.0.2.1 is no address of this host (listen on 0.0.0.0 or on its own address)',
      `postgresql.listen: port ${port} of 127.0.0.1 is in use (stop what uses it or choose another port; while pgbaton runs, validate with --no-network)`,
    ]);
    expect(await errorsOf(at)).toEqual([]);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test('a certificate that cannot be read is named', async () => {
  const at = host('15.3', (content) =>
    content.replace('restapi:\n', 'restapi:\n  certfile: /no\n'),
  );
  expect(await errorsOf(at)).toEqual([
    'restapi.certfile: /no is not there, or this user may not read it (check the path, its owner and its permissions)',
  ]);
});

test('passwords that every user may read, and addresses that nobody else reaches, are warnings', async () => {
  const at = host('15.3', (content) =>
    content
      .replaceAll('10.0.0.1', '127.0.0.1')
      .replace('restapi:\n', 'restapi:\n  authentication: {username: a, password: b}\n'),
  );
  chmodSync(at.config, 0o644);
  expect((await at.validate()).warnings).toEqual([
    `${at.config}: holds passwords and every user of this host may read it (chmod 600)`,
    'restapi.connect_address: 127.0.0.1 is reached from this host only; members on others need its own address',
    'postgresql.connect_address: 127.0.0.1 is reached from this host only; members on others need its own address',
  ]);
});

test('an invalid configuration is reported with errors and warnings, without looking at the host', async () => {
  const at = host('15.3', (content) => `${content.replace('scope: main\n', '')}tagz: {}\n`);
  const report = await at.validate();
  expect(report.valid).toBe(false);
  expect(report.errors.map(({ key }) => key)).toEqual(['scope']);
  expect(report.warnings[0]).toContain('did you mean "tags"?');
});

test('keys that are not honoured yet are listed', async () => {
  const at = host('15.3', (content) => `${content}log: {format: x}\n`);
  expect((await at.validate()).notHonoured).toEqual(['log.format']);
});

test.each([
  ['mode: required', []],
  ['mode: automatic, safety_margin: -1', []],
  ['mode: auto, safety_margin: 1', []],
  ['mode: off, safety_margin: 5', []],
  [
    'mode: required, safety_margin: 5',
    [
      'watchdog: safety_margin 5 s leaves less than a second of ttl 3 s: this member never leads (lower safety_margin to at most 2, or remove it: then it is as small as it can be)',
    ],
  ],
])('a watchdog whose timeout cannot fit the times is warned of: %s', async (watchdog, expected) => {
  const at = host('15.3', (content) => `${content}watchdog: {${watchdog}}\n`);
  const { valid, warnings } = await at.validate();
  expect(valid).toBe(true);
  expect(warnings.filter((warning) => warning.startsWith('watchdog'))).toEqual(expected);
});

test.each(['mode: on', 'mode: sometimes', 'driver: softdog', 'safety_margin: -2'])(
  'a watchdog that means nothing is refused: %s',
  async (watchdog) => {
    const at = host('15.3', (content) => `${content}watchdog: {${watchdog}}\n`);
    const { valid, errors } = await at.validate();
    expect(valid).toBe(false);
    expect(errors.map(({ key }) => key)).toEqual([`watchdog.${watchdog.split(':')[0]}`]);
  },
);
