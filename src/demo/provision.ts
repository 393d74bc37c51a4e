import type { Failure, Result } from '../core/result.ts';
import { fail, failure, ok } from '../core/result.ts';
import type { Binaries, PrometheusBinaries, ServerName } from './binaries.ts';
import { findBinaries, findPrometheus, hasSystemdTools } from './binaries.ts';
import { debianCodename, fetchConsul, installPackages } from './debian.ts';

type Report = (line: string) => void;

const PACKAGES: Readonly<Record<'postgres' | 'haproxy', string>> = {
  postgres: 'postgresql',
  haproxy: 'haproxy',
};

function missing(environment: NodeJS.ProcessEnv): ServerName[] {
  const found = findBinaries(environment);
  const absent: ServerName[] = [];
  if (found.pgBinDir === undefined) absent.push('postgres');
  if (found.haproxy === undefined) absent.push('haproxy');
  if (found.consul === undefined) absent.push('consul');
  return absent;
}

/** What is missing and how one gets it, for a machine that this program must not or cannot change. */
function remedyFor(absent: readonly ServerName[], debian: boolean): string {
  const hints: string[] = [];
  const packages = absent.filter((name) => name !== 'consul').map((name) => PACKAGES[name]);
  if (packages.length > 0) {
    hints.push(
      debian
        ? `run as root: apt-get install --no-install-recommends ${packages.join(' ')}`
        : `install ${packages.join(' and ')} with the system's package manager` +
            ' (or set PGBATON_PG_BIN_DIR, PGBATON_HAPROXY_BIN)',
    );
  }
  if (absent.includes('consul')) {
    hints.push('install consul into the PATH, or set PGBATON_CONSUL_BIN to the program');
  }
  return hints.join('; ');
}

/** What is there; a failure names what is not. */
export function requireBinaries(environment: NodeJS.ProcessEnv): Result<Binaries> {
  const { consul, haproxy, pgBinDir } = findBinaries(environment);
  if (consul !== undefined && haproxy !== undefined && pgBinDir !== undefined) {
    return ok({ consul, haproxy, pgBinDir });
  }
  const absent = missing(environment);
  return fail(
    'servers-missing',
    `not found on this machine: ${absent.join(', ')}`,
    remedyFor(absent, debianCodename() !== undefined),
  );
}

/** A path that the environment names wrongly is told at once: nothing that is fetched could mend it. */
function wrongOverride(environment: NodeJS.ProcessEnv): Failure | undefined {
  const found = findBinaries(environment);
  const overrides = [
    ['PGBATON_PG_BIN_DIR', found.pgBinDir],
    ['PGBATON_HAPROXY_BIN', found.haproxy],
    ['PGBATON_CONSUL_BIN', found.consul],
  ] as const;
  for (const [variable, path] of overrides) {
    const told = environment[variable] ?? '';
    if (told !== '' && path === undefined) {
      return failure(
        'wrong-override',
        `${variable}=${told} holds no such program`,
        `correct ${variable} or unset it`,
      );
    }
  }
  return undefined;
}

/**
 * Finds PostgreSQL, HAProxy and Consul, and fetches what is missing where this is possible without a
 * question: on Debian, packages as root, Consul as anybody. Nothing is done when all is there.
 * `forTests`: Prometheus and the tools of systemd, too.
 */
export async function provision(
  environment: NodeJS.ProcessEnv,
  report: Report,
  { forTests = false }: { readonly forTests?: boolean } = {},
): Promise<Result<Binaries>> {
  if (forTests) {
    const prometheus = await provisionPrometheus(environment, report);
    if (!prometheus.ok) return prometheus;
    const systemd = await provisionSystemdTools(environment, report);
    if (!systemd.ok) return systemd;
  }
  const wrong = wrongOverride(environment);
  if (wrong !== undefined) return { ok: false, error: wrong };
  const absent = missing(environment);
  const codename = debianCodename();
  if (absent.length === 0 || codename === undefined) return requireBinaries(environment);
  report(`not on this machine yet: ${absent.join(', ')}`);
  const packages = absent.filter((name) => name !== 'consul').map((name) => PACKAGES[name]);
  if (packages.length > 0 && process.getuid?.() === 0) {
    const installed = await installPackages(packages, report);
    if (!installed.ok) return installed;
  }
  if (absent.includes('consul')) {
    const fetched = await fetchConsul(codename, report);
    if (!fetched.ok) return fetched;
  }
  return requireBinaries(environment);
}

/** What is there; a failure says how to get it. */
export function requirePrometheus(environment: NodeJS.ProcessEnv): Result<PrometheusBinaries> {
  const found = findPrometheus(environment);
  if (found !== undefined) return ok(found);
  return fail(
    'servers-missing',
    'not found on this machine: prometheus, promtool',
    debianCodename() === undefined
      ? 'install prometheus, or set PGBATON_PROMETHEUS_BIN and PGBATON_PROMTOOL_BIN'
      : 'run as root: apt-get install --no-install-recommends prometheus',
  );
}

/** Installed like the others, and not started. */
async function provisionPrometheus(
  environment: NodeJS.ProcessEnv,
  report: Report,
): Promise<Result<PrometheusBinaries>> {
  const missingHere = findPrometheus(environment) === undefined;
  if (missingHere && debianCodename() !== undefined && process.getuid?.() === 0) {
    const installed = await installPackages(['prometheus'], report);
    if (!installed.ok) return installed;
  }
  return requirePrometheus(environment);
}

async function provisionSystemdTools(
  environment: NodeJS.ProcessEnv,
  report: Report,
): Promise<Result<void>> {
  if (hasSystemdTools(environment)) return ok(undefined);
  if (debianCodename() !== undefined && process.getuid?.() === 0) {
    return installPackages(['systemd'], report);
  }
  return fail(
    'servers-missing',
    'not found on this machine: the tools of systemd (systemd-notify and others)',
    'install systemd; it need not run',
  );
}
