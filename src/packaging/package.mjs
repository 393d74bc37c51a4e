// `npm run package`: one .deb for hosts without containers, with everything that the agent needs in it.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { repository } from '../demo/prepare.mjs';
import { bundle } from './bundle.mjs';
import { control, debianVersion, md5sums } from './control.mjs';
import { installedFiles } from './files.mjs';

const HELP = `Builds pgbaton_VERSION_ARCHITECTURE.deb; the same sources give the same bytes.

  npm run package                    for hosts that have Node 20.19 or newer as package nodejs
  npm run package -- --with-node     with the Node that builds it, for hosts without

  --output DIRECTORY     where the package goes (build)
  --revision NUMBER      of the package, where the version is the same (1)
`;

const COMPRESSION_TIMEOUT_MILLIS = 600_000;

function fail(message) {
  console.error(`Error: ${message}`);
  process.exit(1);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        'with-node': { type: 'boolean', default: false },
        output: { type: 'string', default: join(repository, 'build') },
        revision: { type: 'string', default: '1' },
        help: { type: 'boolean', default: false },
      },
    });
    if (!/^[1-9]\d*$/.test(values.revision)) throw new Error('--revision takes a number from 1 on');
    return values;
  } catch (error) {
    return fail(`${error.message}\n\n${HELP}`);
  }
}

/** What all files are dated by: when the sources were last changed. Source: reproducible-builds.org. */
function sourceDateEpoch() {
  const told = process.env['SOURCE_DATE_EPOCH'] ?? '';
  if (/^\d+$/.test(told)) return Number(told);
  if (told !== '') throw new Error(`SOURCE_DATE_EPOCH=${told} is no number of seconds`);
  const { status, stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], {
    cwd: repository,
    encoding: 'utf8',
  });
  if (status === 0 && stdout.trim() !== '') return Number(stdout);
  throw new Error(
    'this is no git checkout: set SOURCE_DATE_EPOCH to the date of the sources, in seconds',
  );
}

/** Puts files into a folder as they are to be installed; owners are left to dpkg-deb. */
function lay(folder, files, epoch) {
  const directories = new Set();
  for (const { path, content, mode } of files) {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    chmodSync(target, mode);
    lutimesSync(target, epoch, epoch);
    for (let part = dirname(path); part !== '.'; part = dirname(part)) directories.add(part);
  }
  // The deepest first: what is made in a directory dates it anew.
  const deepestFirst = ['etc/pgbaton', 'etc', ...directories].toSorted(
    (a, b) => b.split('/').length - a.split('/').length,
  );
  for (const path of [...deepestFirst, '.']) {
    mkdirSync(join(folder, path), { recursive: true });
    chmodSync(join(folder, path), 0o755);
    lutimesSync(join(folder, path), epoch, epoch);
  }
}

function packUp(folder, target, epoch) {
  // dpkg-deb(1): the same variable, which older ones do not know; xz is what every Debian can read.
  const compression = process.env['DPKG_DEB_COMPRESSOR_TYPE'] ?? 'xz';
  const { status, stderr, error } = spawnSync(
    'dpkg-deb',
    ['--root-owner-group', `-Z${compression}`, '--threads-max=1', '--build', folder, target],
    {
      encoding: 'utf8',
      env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch), LC_ALL: 'C.UTF-8' },
      timeout: COMPRESSION_TIMEOUT_MILLIS,
    },
  );
  if (error !== undefined)
    throw new Error(`dpkg-deb: ${error.message} (it is part of Debian's dpkg)`);
  if (status !== 0) throw new Error(`dpkg-deb: ${stderr.trim()}`);
}

async function main() {
  const options = readOptions();
  if (options.help) return console.log(HELP);
  const withNode = options['with-node'];
  const epoch = sourceDateEpoch();
  const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
  const version = debianVersion(manifest.version, options.revision);
  mkdirSync(join(repository, '.cache'), { recursive: true });
  const work = mkdtempSync(join(repository, '.cache/package-'));
  try {
    const bundled = join(work, 'bundle');
    const inputs = await bundle(join(bundled, 'dist'));
    const files = installedFiles({ bundled, inputs, manifest, withNode });
    const description = control({ manifest, version, files, withNode });
    const scripts = ['postinst', 'prerm', 'postrm'].map((name) => ({
      path: `DEBIAN/${name}`,
      content: readFileSync(join(import.meta.dirname, name)),
      mode: 0o755,
    }));
    const tree = join(work, 'tree');
    lay(
      tree,
      [
        ...files,
        ...scripts,
        { path: 'DEBIAN/control', content: Buffer.from(description), mode: 0o644 },
        { path: 'DEBIAN/md5sums', content: Buffer.from(md5sums(files)), mode: 0o644 },
      ],
      epoch,
    );
    const architecture = /^Architecture: (.*)$/m.exec(description)[1];
    const target = join(resolve(options.output), `pgbaton_${version}_${architecture}.deb`);
    mkdirSync(dirname(target), { recursive: true });
    packUp(tree, target, epoch);
    console.log(target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  fail(error.message);
}
