import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Result } from '../../src/core/result.ts';
import { fail, ok } from '../../src/core/result.ts';
import type { Millis } from '../../src/core/time.ts';
import { debianCodename, installPackages } from '../../src/demo/debian.ts';
import { ProcessHandle } from '../../src/demo/process-handle.ts';
import { isRunning, readProcess } from '../../src/guardian/procfs.ts';

/** A Docker Engine that answers, and the Compose that comes with it. */
export interface Engine {
  /** As DOCKER_HOST takes it. */
  readonly host: string;
  /** The program docker-compose, or the plugin of the docker program. */
  readonly compose: 'standalone' | 'plugin';
  /** Ends what was started for it, and removes its images and volumes; nothing of an engine that was there. */
  readonly close: () => void;
}

type Report = (line: string) => void;

const START_TIMEOUT_MILLIS: Millis = 60_000;
const STOP_GRACE_MILLIS: Millis = 30_000;
const POLL_MILLIS: Millis = 50;
const QUESTION_TIMEOUT_MILLIS: Millis = 10_000;
const INSTALL: readonly { readonly program: string; readonly packageName: string }[] = [
  { program: 'dockerd', packageName: 'docker.io' },
  { program: 'mmdebstrap', packageName: 'mmdebstrap' },
];
const COMPOSE_PACKAGE = 'docker-compose';

const succeeds = (program: string, args: readonly string[], environment = process.env): boolean =>
  spawnSync(program, args, { stdio: 'ignore', timeout: QUESTION_TIMEOUT_MILLIS, env: environment })
    .status === 0;

const isAlive = (host: string): boolean =>
  succeeds('docker', ['version'], { ...process.env, DOCKER_HOST: host });

function findCompose(): Engine['compose'] | undefined {
  if (succeeds('docker', ['compose', 'version'])) return 'plugin';
  return succeeds('docker-compose', ['version']) ? 'standalone' : undefined;
}

async function install(packages: readonly string[], report: Report): Promise<Result<void>> {
  if (packages.length === 0) return ok(undefined);
  if (debianCodename() === undefined || process.getuid?.() !== 0) {
    return fail(
      'docker-missing',
      `no Docker Engine answers, and ${packages.join(', ')} can be fetched by root on Debian only`,
      'start one and install Compose, or set DOCKER_HOST',
    );
  }
  return installPackages(packages, report);
}

/**
 * The engine of this machine; where there is none, as root on Debian, one of our own, which ends with us.
 * Docker's program and Compose are fetched if they are missing.
 */
export async function findEngine(report: Report): Promise<Result<Engine>> {
  const told = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';
  const there = isAlive(told);
  const programs = there ? [] : INSTALL.filter(({ program }) => !succeeds(program, ['--version']));
  const packages = programs.map(({ packageName }) => packageName);
  if (findCompose() === undefined) packages.push(COMPOSE_PACKAGE);
  const installed = await install(packages, report);
  if (!installed.ok) return installed;
  const compose = findCompose();
  if (compose === undefined) return fail('docker-missing', 'Compose does not work');
  if (there) return ok({ host: told, compose, close: () => undefined });
  return startEngine(compose, report);
}

async function startEngine(compose: Engine['compose'], report: Report): Promise<Result<Engine>> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'pgbaton-docker-'));
  const host = `unix://${join(folder, 'docker.sock')}`;
  const network = rememberNetwork();
  const engine = new ProcessHandle({
    name: 'dockerd',
    program: 'dockerd',
    args: [
      `--host=${host}`,
      `--data-root=${join(folder, 'data')}`,
      `--exec-root=${join(folder, 'exec')}`,
      `--pidfile=${join(folder, 'docker.pid')}`,
      // Containers speak with each other and with this machine: neither its packet filter nor its
      // routing is touched, which other tests rest on.
      '--iptables=false',
      '--ip-forward=false',
      '--ip-masq=false',
    ],
    logFile: join(folder, 'dockerd.log'),
  });
  const close = closeOnce(() => {
    removeContainers(host);
    endNow(engine.pid);
    unmountBelow(folder);
    network.restore();
    rmSync(folder, { recursive: true, force: true });
  });
  try {
    await engine.whenReady(() => Promise.resolve(isAlive(host)), START_TIMEOUT_MILLIS);
  } catch (error) {
    close();
    return fail('docker-not-started', error instanceof Error ? error.message : String(error));
  }
  network.quiet();
  report(`a Docker Engine of our own runs below ${folder}`);
  return ok({ host, compose, close });
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Whatever way this process ends; synchronous, because it may be while it exits. */
function closeOnce(work: () => void): () => void {
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    work();
    process.off('exit', close);
    for (const signal of SIGNALS) process.off(signal, atSignal);
  };
  const atSignal = (signal: NodeJS.Signals): void => {
    close();
    process.exit(128 + constants.signals[signal]);
  };
  process.on('exit', close);
  for (const signal of SIGNALS) process.on(signal, atSignal);
  return close;
}

const say = (program: string, args: readonly string[], environment = process.env): string =>
  spawnSync(program, args, {
    encoding: 'utf8',
    timeout: STOP_GRACE_MILLIS,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: environment,
  }).stdout ?? '';

function removeContainers(host: string): void {
  const environment = { ...process.env, DOCKER_HOST: host };
  const ids = say('docker', ['ps', '--all', '--quiet'], environment).split('\n').filter(Boolean);
  if (ids.length > 0) say('docker', ['rm', '--force', '--volumes', ...ids], environment);
}

function endNow(pid: number): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  const runs = (): boolean => {
    const facts = readProcess(pid);
    return facts !== undefined && isRunning(facts);
  };
  if (runs()) process.kill(pid, 'SIGTERM');
  for (let waited = 0; runs() && waited < STOP_GRACE_MILLIS; waited += POLL_MILLIS) {
    Atomics.wait(clock, 0, 0, POLL_MILLIS);
  }
  if (runs()) process.kill(pid, 'SIGKILL');
}

/** What an engine that was killed has left mounted, the deepest first. */
function unmountBelow(folder: string): void {
  const points = (read('/proc/self/mounts') ?? '')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => point.startsWith(`${folder}/`));
  for (const point of points.reverse()) say('umount', [point]);
}

const FILTERING = ['arptables', 'ip6tables', 'iptables'].map(
  (table) => `/proc/sys/net/bridge/bridge-nf-call-${table}`,
);

const BRIDGE = 'docker0';
const bridgeIsThere = (): boolean => existsSync(`/sys/class/net/${BRIDGE}`);

/**
 * The engine loads the module that sends what crosses a bridge through the packet filter, other bridges
 * too, and leaves a bridge of its own behind.
 */
function rememberNetwork(): { readonly quiet: () => void; readonly restore: () => void } {
  const before = new Map(FILTERING.map((path) => [path, read(path) ?? '0\n']));
  const hadBridge = bridgeIsThere();
  const quiet = (): void => {
    for (const [path, value] of before) if (read(path) !== undefined) writeFileSync(path, value);
  };
  return {
    quiet,
    restore: () => {
      quiet();
      if (!hadBridge && bridgeIsThere()) say('ip', ['link', 'delete', BRIDGE]);
    },
  };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
