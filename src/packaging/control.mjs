// The control files: what dpkg has to know of the package.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const ARCHITECTURES = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'armhf',
  ppc64: 'ppc64el',
  s390x: 's390x',
};

/** Libraries that every Debian has, and the packages that they are in. */
const LIBRARIES = {
  libc6: /^(libc|libm|libdl|libpthread|librt|ld-linux[\w-]*)\.so/,
  'libstdc++6': /^libstdc\+\+\.so/,
  'libgcc-s1': /^libgcc_s\.so/,
};
const UNNAMED = /^linux-vdso\.so/;

/** `1.2.0-rc.1` sorts before `1.2.0` only with a tilde. */
export const debianVersion = (version, revision) => `${version.replace('-', '~')}-${revision}`;

/** The newest symbol version of a library that a program asks for. */
function newestSymbol(program, prefix) {
  const versions = program
    .toString('latin1')
    .matchAll(new RegExp(`${prefix}_(\\d+(?:\\.\\d+)*)\\0`, 'g'));
  return [...versions]
    .map(([, version]) => version)
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .at(-1);
}

/** Packages that the Node beside us needs; one that is linked with more than Debian always has cannot be taken along. */
function nodeDependencies() {
  const { stdout, status } = spawnSync('ldd', [process.execPath], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ldd cannot tell what ${process.execPath} is linked with`);
  const linked = stdout
    .split('\n')
    .map((line) => line.trim().split(' ')[0].split('/').at(-1))
    .filter((name) => name !== '' && !UNNAMED.test(name));
  const known = Object.entries(LIBRARIES);
  const foreign = linked.filter((name) => !known.some(([, pattern]) => pattern.test(name)));
  if (foreign.length > 0) {
    throw new Error(
      `${process.execPath} is linked with ${foreign.join(', ')}, which a host without it may not have: ` +
        'build with a Node of the project itself, or leave --with-node out',
    );
  }
  const libc = newestSymbol(readFileSync(process.execPath), 'GLIBC');
  return [`libc6 (>= ${libc})`, 'libgcc-s1', 'libstdc++6'];
}

function architecture() {
  const found = ARCHITECTURES[process.arch];
  if (found === undefined) throw new Error(`no Debian architecture is known for ${process.arch}`);
  return found;
}

/** The file `control`. `files`: what is installed. */
export function control({ manifest, version, files, withNode }) {
  const oldestNode = manifest.engines.node.replace(/[^\d.]/g, '');
  const node = withNode ? nodeDependencies() : [`nodejs (>= ${oldestNode})`];
  const kibibytes = files.reduce((sum, { content }) => sum + Math.ceil(content.length / 1024), 0);
  return `${[
    'Package: pgbaton',
    `Version: ${version}`,
    `Architecture: ${withNode ? architecture() : 'all'}`,
    'Section: database',
    'Priority: optional',
    'Maintainer: The authors of pgbaton <pgbaton@localhost>',
    `Installed-Size: ${kibibytes}`,
    `Depends: ${[...node, 'procps', 'systemd (>= 246)'].join(', ')}`,
    // Nothing stronger: the package postgresql would bring a newer server beside the one that is used.
    'Suggests: postgresql, consul, haproxy',
    'Description: automatic failover for PostgreSQL, by a leader lease in Consul',
    ' An agent beside each PostgreSQL of a cluster. The agents promote the best standby',
    ' when the leader is gone, fence a stale primary so that two never write, and answer',
    ' the health checks of load balancers. Takes the configuration of Patroni.',
  ].join('\n')}\n`;
}

export function md5sums(files) {
  return files
    .map(({ path, content }) => `${createHash('md5').update(content).digest('hex')}  ${path}\n`)
    .join('');
}
