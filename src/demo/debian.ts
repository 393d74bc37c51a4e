import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Result } from '../core/result.ts';
import { fail, ok } from '../core/result.ts';
import { CACHED_BIN, REPOSITORY } from './binaries.ts';
import { runCommand } from './command.ts';

/** Where packages of one suite come from: what one line of a sources list says. */
export interface Archive {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Keyring that signs it, `undefined` for apt's own default. */
  readonly signedBy: string | undefined;
}

/** The newest suite of the distribution that still carries Consul. */
const CONSUL_SUITE = 'bullseye';
const UPDATE_TIMEOUT_MILLIS = 300_000;
const INSTALL_TIMEOUT_MILLIS = 900_000;
const QUERY_TIMEOUT_MILLIS = 60_000;

/** Reads the one-line format: `deb [signed-by=…] URI suite component…`. */
export function parseSourcesList(text: string): Archive[] {
  return text.split('\n').flatMap((line) => {
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)$/.exec(line.trim());
    if (match === null) return [];
    const [, options = '', uri = '', suite = '', components = ''] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1];
    return [{ uri, suites: [suite], components: components.split(/\s+/), signedBy }];
  });
}

/** Reads deb822 stanzas (`*.sources`), man page sources.list(5). Embedded keys count as no keyring. */
export function parseDeb822Sources(text: string): Archive[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = new Map<string, string>();
    let last = '';
    for (const line of stanza.split('\n')) {
      if (line.startsWith('#')) continue;
      const field = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
      if (field !== null) {
        last = (field[1] ?? '').toLowerCase();
        fields.set(last, (field[2] ?? '').trim());
      } else if (/^\s+\S/.test(line)) {
        fields.set(last, `${fields.get(last) ?? ''} ${line.trim()}`.trim());
      }
    }
    const words = (name: string): string[] => (fields.get(name) ?? '').split(/\s+/).filter(Boolean);
    if (!words('types').includes('deb') || fields.get('enabled') === 'no') return [];
    const keyring = words('signed-by')[0];
    const signedBy = keyring?.startsWith('/') === true ? keyring : undefined;
    return words('uris').map((uri) => ({
      uri,
      suites: words('suites'),
      components: words('components'),
      signedBy,
    }));
  });
}

/** The machine's own archive: the one that carries suite `codename` itself, with component main. */
export function chooseArchive(archives: readonly Archive[], codename: string): Archive | undefined {
  return archives.find(
    (archive) => archive.suites.includes(codename) && archive.components.includes('main'),
  );
}

function readSources(): Archive[] {
  const archives: Archive[] = [];
  if (existsSync('/etc/apt/sources.list')) {
    archives.push(...parseSourcesList(readFileSync('/etc/apt/sources.list', 'utf8')));
  }
  const folder = '/etc/apt/sources.list.d';
  for (const name of existsSync(folder) ? readdirSync(folder).sort() : []) {
    if (name.endsWith('.list')) {
      archives.push(...parseSourcesList(readFileSync(join(folder, name), 'utf8')));
    } else if (name.endsWith('.sources')) {
      archives.push(...parseDeb822Sources(readFileSync(join(folder, name), 'utf8')));
    }
  }
  return archives;
}

/** Codename of the Debian that runs here; undefined on any other system. */
export function debianCodename(): string | undefined {
  if (!existsSync('/etc/os-release') || !existsSync('/usr/bin/apt-get')) return undefined;
  const text = readFileSync('/etc/os-release', 'utf8');
  if (!/^ID="?debian"?$/m.test(text)) return undefined;
  return /^VERSION_CODENAME="?(\w+)"?$/m.exec(text)?.[1];
}

type Report = (line: string) => void;

/**
 * Fetches the Consul package with an apt state of its own and unpacks its one program to
 * `.cache/bin`. apt checks the archive's signature; the system's apt configuration and package
 * database stay untouched, so this needs no root.
 */
export async function fetchConsul(codename: string, report: Report): Promise<Result<string>> {
  const archive = chooseArchive(readSources(), codename);
  if (archive === undefined) {
    return fail(
      'no-debian-archive',
      `apt has no source for suite ${codename}, so Consul cannot be fetched`,
      'add the distribution to /etc/apt/sources.list, or set PGBATON_CONSUL_BIN to a Consul program',
    );
  }
  mkdirSync(CACHED_BIN, { recursive: true });
  const work = mkdtempSync(join(REPOSITORY, '.cache/apt-'));
  try {
    return await fetchConsulInto(work, archive, report);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function fetchConsulInto(
  work: string,
  archive: Archive,
  report: Report,
): Promise<Result<string>> {
  for (const folder of ['lists/partial', 'cache/archives/partial', 'unpacked']) {
    mkdirSync(join(work, folder), { recursive: true });
  }
  const keyring = archive.signedBy === undefined ? '' : `[signed-by=${archive.signedBy}] `;
  const list = join(work, 'sources.list');
  writeFileSync(list, `deb ${keyring}${archive.uri} ${CONSUL_SUITE} main\n`);
  const isolation = [
    `Dir::Etc::sourcelist=${list}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${join(work, 'lists')}`,
    `Dir::Cache=${join(work, 'cache')}`,
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
  ].flatMap((option) => ['-o', option]);
  report(`Consul: reading the package list of suite ${CONSUL_SUITE}`);
  const steps: [string, string[]][] = [
    ['apt-get', [...isolation, '-q', 'update']],
    ['apt-get', [...isolation, '-q', 'download', 'consul']],
  ];
  for (const [program, args] of steps) {
    const outcome = await runCommand(program, args, {
      timeoutMillis: UPDATE_TIMEOUT_MILLIS,
      cwd: work,
      onLine: (line) => {
        if (/^(Get|Fetched|E:|W:|Err)/.test(line)) report(`Consul: ${line}`);
      },
    });
    if (outcome.code !== 0) {
      return fail(
        'consul-not-fetched',
        `apt-get could not fetch Consul: ${outcome.lines.at(-1) ?? 'no output'}`,
        'see the lines above; or set PGBATON_CONSUL_BIN to a Consul program',
      );
    }
  }
  const unpacked = join(work, 'unpacked');
  const deb = readdirSync(work).find((name) => name.endsWith('.deb')) ?? 'consul.deb';
  const extracted = await runCommand('dpkg-deb', ['-x', join(work, deb), unpacked], {
    timeoutMillis: QUERY_TIMEOUT_MILLIS,
  });
  const program = join(unpacked, 'usr/bin/consul');
  if (extracted.code !== 0 || !existsSync(program)) {
    return fail('consul-not-unpacked', `dpkg-deb could not unpack ${deb}`);
  }
  const target = join(CACHED_BIN, 'consul');
  chmodSync(program, 0o755);
  // Renamed in whole, so that another start at the same moment never runs half a program.
  renameSync(program, target);
  report(`Consul: ready at ${target}`);
  return ok(target);
}

const POLICY = '/usr/sbin/policy-rc.d';
const CREATE_CLUSTER = '/etc/postgresql-common/createcluster.conf';
const CREATE_CLUSTER_TEMPLATE = '/usr/share/postgresql-common/createcluster.conf';

/**
 * While `work` runs, a package may neither start a service (policy-rc.d, invoke-rc.d(8)) nor create a
 * database cluster. What the machine has configured itself is left alone, and what is put here is taken away.
 */
async function withoutServices<T>(work: () => Promise<T>): Promise<T> {
  const ownPolicy = !existsSync(POLICY);
  if (ownPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const ownCreateCluster = !existsSync(CREATE_CLUSTER);
  if (ownCreateCluster) {
    mkdirSync(dirname(CREATE_CLUSTER), { recursive: true });
    writeFileSync(CREATE_CLUSTER, 'create_main_cluster = false\n');
  }
  try {
    return await work();
  } finally {
    if (ownPolicy) rmSync(POLICY, { force: true });
    if (ownCreateCluster && existsSync(CREATE_CLUSTER_TEMPLATE)) {
      copyFileSync(CREATE_CLUSTER_TEMPLATE, CREATE_CLUSTER);
      // ucf's copy of the same text, laid beside the file that it was told to keep.
      rmSync(`${CREATE_CLUSTER}.ucf-dist`, { force: true });
    } else if (ownCreateCluster) {
      rmSync(CREATE_CLUSTER, { force: true });
    }
  }
}

async function hasCandidate(packageName: string): Promise<boolean> {
  const policy = await runCommand('apt-cache', ['policy', packageName], {
    timeoutMillis: QUERY_TIMEOUT_MILLIS,
    env: { ...process.env, LC_ALL: 'C' },
  });
  return policy.lines.some((line) => /^\s+Candidate: (?!\(none\))/.test(line));
}

/** Installs packages as root without a question, a service or a database cluster of the package's own. */
export async function installPackages(
  packages: readonly string[],
  report: Report,
): Promise<Result<void>> {
  const env = {
    ...process.env,
    LC_ALL: 'C',
    DEBIAN_FRONTEND: 'noninteractive',
    // ucf(1): keep the cluster policy written above.
    UCF_FORCE_CONFFOLD: '1',
  };
  const onLine = (line: string): void => {
    if (/^(Get|Fetched|Setting up|E:|W:|Err)/.test(line)) report(`apt: ${line}`);
  };
  const update = async (): Promise<void> => {
    report('apt: reading the package lists');
    await runCommand('apt-get', ['-q', 'update'], {
      timeoutMillis: UPDATE_TIMEOUT_MILLIS,
      env,
      onLine,
    });
  };
  const known = await Promise.all(packages.map(hasCandidate));
  const updateFirst = known.includes(false);
  if (updateFirst) await update();
  const install = async (): Promise<boolean> => {
    report(`apt: installing ${packages.join(' ')}`);
    const options = [
      '-q',
      '-y',
      '--no-install-recommends',
      '-o',
      'Dpkg::Options::=--force-confold',
    ];
    const outcome = await runCommand('apt-get', ['install', ...options, ...packages], {
      timeoutMillis: INSTALL_TIMEOUT_MILLIS,
      env,
      onLine,
    });
    return outcome.code === 0;
  };
  const installed = await withoutServices(async () => {
    if (await install()) return true;
    if (updateFirst) return false;
    // Lists that are weeks old name packages that the archive has replaced since.
    await update();
    return install();
  });
  if (installed) return ok(undefined);
  return fail(
    'packages-not-installed',
    `apt-get could not install ${packages.join(' ')}`,
    `run it by hand to see why: apt-get install --no-install-recommends ${packages.join(' ')}`,
  );
}
