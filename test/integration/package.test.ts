import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REPOSITORY } from '../../src/demo/binaries.ts';
import { buildPackage, DpkgRoot, must, runTool } from '../harness/debian-package.ts';

/* The package as dpkg sees it. That its programs work: package-cluster.test.ts. */

/** Where its bytes are not looked at: Node alone takes a minute to compress. */
const UNCOMPRESSED = { DPKG_DEB_COMPRESSOR_TYPE: 'none' };

let folder: string;
let deb: string;
let unpacked: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgbaton-package-'));
  deb = buildPackage(folder);
  unpacked = join(folder, 'unpacked');
  must('dpkg-deb', ['-x', deb, unpacked]);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const field = (name: string): string => must('dpkg-deb', ['-f', deb, name]).trim();
const manifest = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
};

describe('the package', () => {
  test('needs the Node that package.json names, and nothing of npm', () => {
    expect(deb).toBe(join(folder, `pgbaton_${manifest.version}-1_all.deb`));
    expect(field('Architecture')).toBe('all');
    expect(field('Depends')).toBe('nodejs (>= 20.19), procps, systemd (>= 246)');
    const paths = must('dpkg-deb', ['-c', deb]);
    expect(paths).not.toContain('node_modules');
    expect(paths).toMatch(/^-rwxr-xr-x root\/root .* \.\/usr\/bin\/pgbaton$/m);
    expect(paths).toMatch(/^-rw-r--r-- root\/root .* \.\/usr\/lib\/pgbaton\/dist\/cli\.js$/m);
    expect(paths, 'writable for others').not.toMatch(/^(.{5}|.{8})w/m);
  });

  test('is the same to the byte when it is built again, by whomever', () => {
    const again = mkdtempSync(join(folder, 'again-'));
    const second = buildPackage(again, [], { HOME: again, TZ: 'Asia/Tokyo', LANG: 'de_DE.UTF-8' });
    expect(readFileSync(second).equals(readFileSync(deb))).toBe(true);
  });

  test('says whose everything is that was bundled, dependencies of dependencies included', () => {
    const text = readFileSync(join(unpacked, 'usr/share/doc/pgbaton/copyright'), 'utf8');
    const named = [...Object.entries(manifest.dependencies), ['ajv', '8']] as const;
    const missing = named.filter(([name, version]) => !text.includes(`\n${name} ${version}`));
    expect(missing).toEqual([]);
    expect(text).toContain('/usr/share/common-licenses/Apache-2.0');
  });

  test('brings a manual that names every command, and that man can show', () => {
    const page = join(unpacked, 'usr/share/man/man1/pgbaton.1.gz');
    const text = must('sh', ['-c', `zcat ${page}`]);
    for (const name of ['agent', 'list', 'switchover', 'failover', 'pause', 'validate']) {
      expect(text).toContain(`.SH "pgbaton ${name}"`);
    }
    expect(text).not.toMatch(/^'/m);
  });

  test('brings examples whose schema is where they say', () => {
    const example = readFileSync(
      join(unpacked, 'usr/share/doc/pgbaton/examples/pgbaton.example.yml'),
      'utf8',
    );
    const schema = /\$schema=(\S+)/.exec(example)?.[1] ?? '';
    expect(readFileSync(join(unpacked, schema), 'utf8')).toBe(
      readFileSync(join(REPOSITORY, 'config/pgbaton.schema.json'), 'utf8'),
    );
  });

  test('has a unit that systemd accepts, and that runs the program of the package', () => {
    const unit = join(unpacked, 'usr/lib/systemd/system/pgbaton.service');
    const text = readFileSync(unit, 'utf8');
    expect(text).toMatch(/^ExecStart=\/usr\/bin\/pgbaton agent \/etc\/pgbaton\/pgbaton\.yml$/m);
    // Where the package is not installed: the paths of the unpacked one, and no manual.
    const local = join(folder, 'pgbaton.service');
    const program = join(unpacked, 'usr/bin/pgbaton');
    writeFileSync(
      local,
      text.replace('/usr/bin/pgbaton', program).replace(/^Documentation=.*\n/m, ''),
    );
    const { status, said } = runTool('systemd-analyze', ['verify', local]);
    expect(
      said.split('\n').filter((line) => line.includes(local) && !line.includes('Unknown key')),
    ).toEqual([]);
    expect(said.match(/Unknown key '(?!RestartSteps|RestartMaxDelaySec)/g)).toBeNull();
    expect(status).toBe(0);
    const exposure = must('systemd-analyze', [
      'security',
      '--offline=true',
      '--threshold=65',
      local,
    ]);
    expect(exposure).toContain('Overall exposure level');
  });
});

describe('installed', () => {
  let host: DpkgRoot;
  beforeAll(() => {
    host = new DpkgRoot(join(folder, 'host'));
    expect(host.dpkg('-i', deb)).toMatchObject({ status: 0 });
  });
  const account = (): string[] => host.read('etc/passwd').split('\n');

  test('it makes the account and the directories that PostgreSQL itself would have made', () => {
    expect(account()).toContainEqual(
      expect.stringMatching(/^postgres:x:\d+:\d+:PostgreSQL administrator:\/var\/lib\/postgresql:/),
    );
    expect(host.has('var/lib/postgresql')).toBe(true);
    expect(host.has('run/postgresql')).toBe(true);
    expect(must('dpkg', [`--root=${host.path}`, '-V', 'pgbaton'])).toBe('');
  });

  test('it is upgraded, removed and purged, and what it did not make stays', () => {
    const passwd = account();
    host.dpkg('-i', deb);
    writeFileSync(join(host.path, 'etc/pgbaton/pgbaton.yml'), 'scope: kept\n');
    for (const kept of ['var/lib/postgresql/main', 'var/lib/postgresql/main.pgbaton']) {
      mkdirSync(join(host.path, kept));
    }
    const newer = buildPackage(folder, ['--revision', '2'], UNCOMPRESSED);
    expect(host.dpkg('-i', newer)).toMatchObject({ status: 0 });
    expect(host.dpkg('-s', 'pgbaton').said).toContain(`Version: ${manifest.version}-2`);
    expect(account()).toEqual(passwd);
    expect(host.dpkg('-r', 'pgbaton')).toMatchObject({ status: 0 });
    expect(host.has('usr/bin/pgbaton')).toBe(false);
    expect(host.has('usr/lib/pgbaton')).toBe(false);
    const purged = host.dpkg('-P', 'pgbaton');
    expect(purged).toMatchObject({ status: 0 });
    expect(host.read('etc/pgbaton/pgbaton.yml')).toBe('scope: kept\n');
    expect(host.list('var/lib/postgresql')).toEqual(['main', 'main.pgbaton']);
    expect(account()).toEqual(passwd);
  });

  test.each([
    ['active', 1],
    ['activating', 1],
    ['reloading', 1],
    ['deactivating', 1],
    ['inactive', 0],
    ['failed', 0],
    ['', 0],
  ])('it is not removed while its unit is "%s": %i', (state, status) => {
    const scripts = join(folder, 'scripts');
    must('dpkg-deb', ['-e', deb, scripts]);
    const stub = mkdtempSync(join(folder, 'stub-'));
    writeFileSync(join(stub, 'systemctl'), `#!/bin/sh\necho ${state}\n`);
    chmodSync(join(stub, 'systemctl'), 0o755);
    const path = { PATH: `${stub}:/usr/bin:/bin` };
    const removed = runTool('sh', [join(scripts, 'prerm'), 'remove'], path);
    expect(removed.status).toBe(status);
    expect(removed.said.includes('systemctl disable --now pgbaton')).toBe(status === 1);
    // An upgrade is no removal.
    expect(runTool('sh', [join(scripts, 'prerm'), 'upgrade', '9.0-1'], path)).toEqual({
      status: 0,
      said: '',
    });
  });
});

test('with Node it is for one architecture, needs no package of Node, and runs', () => {
  const withNode = buildPackage(folder, ['--with-node'], UNCOMPRESSED);
  expect(withNode).not.toBe(deb);
  expect(must('dpkg-deb', ['-f', withNode, 'Depends'])).toMatch(
    /^libc6 \(>= 2\.\d+\), libgcc-s1, libstdc\+\+6, procps, systemd \(>= 246\)$/m,
  );
  const root = join(folder, 'with-node');
  must('dpkg-deb', ['-x', withNode, root]);
  const wrapper = readFileSync(join(root, 'usr/bin/pgbaton'), 'utf8');
  expect(wrapper).toBe('#!/bin/sh\nexec /usr/lib/pgbaton/node /usr/lib/pgbaton/dist/cli.js "$@"\n');
  const [node, program] = ['node', 'dist/cli.js'].map((path) =>
    join(root, 'usr/lib/pgbaton', path),
  );
  expect(must(node ?? '', [program ?? '', '--version'])).toBe(
    `pgbaton version ${manifest.version}\n`,
  );
  const copyright = readFileSync(join(root, 'usr/share/doc/pgbaton/copyright'), 'utf8');
  expect(copyright).toContain(`Node.js ${process.versions.node}`);
});

test.each([
  [['--revision', 'x'], 'takes a number'],
  [['--with-nod'], '--with-nod'],
  [['surplus'], 'surplus'],
])('a mistake on its command line (%j) is named, and nothing is built', (args, what) => {
  const output = join(folder, 'nothing');
  const outcome = runTool(process.execPath, [
    join(REPOSITORY, 'src/packaging/package.mjs'),
    '--output',
    output,
    ...args,
  ]);
  expect(outcome.status).toBe(1);
  expect(outcome.said).toContain(what);
  expect(runTool('ls', [output]).status).not.toBe(0);
});
