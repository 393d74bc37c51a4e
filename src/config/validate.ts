import { isAbsolute } from 'node:path';
import type { RestApiSettings } from '../core/service-settings.ts';
import type { Settings } from '../core/settings.ts';
import { checkPort, checkPostgres, checkReadable, isOpenToOthers } from './host-checks.ts';
import { loadConfig } from './load.ts';
import type { LoadedConfig } from './load.ts';
import { isTree } from './layer.ts';
import type { ConfigProblem } from './problem.ts';
import { formatProblem } from './problem.ts';
import { isSecretPath } from './redact.ts';
import { resolveLoaded } from './resolve.ts';
import { resolveServices } from './services.ts';
import type { ConfigSource } from './sources.ts';
import type { ServiceSettings } from './types.ts';

export interface ValidationOptions extends ConfigSource {
  /** Whether the ports are tried, too: not while pgbaton itself runs with them. */
  readonly network: boolean;
}

/** What `pgbaton validate` prints. */
export interface ValidationReport {
  /** No errors: pgbaton starts with this configuration. */
  readonly valid: boolean;
  readonly files: readonly string[];
  readonly errors: readonly ConfigProblem[];
  /** One line each. */
  readonly warnings: readonly string[];
  /** Keys that are accepted but that nothing acts on yet. */
  readonly notHonoured: readonly string[];
}

/** Checks a configuration and what it says of this host, and starts nothing. */
export async function validateConfig(options: ValidationOptions): Promise<ValidationReport> {
  const loaded = await loadConfig(options);
  if (!loaded.ok) {
    const { problems, warnings } = loaded.error;
    return {
      valid: false,
      files: [],
      errors: problems,
      warnings: warnings.map(formatProblem),
      notHonoured: [],
    };
  }
  const settings = resolveLoaded(loaded.value);
  const services = resolveServices(loaded.value.config);
  const errors = [
    ...(await checkPostgres(settings.postgres, options.environment)),
    ...(await checkFiles(settings, services)),
    ...(options.network ? await checkPorts(settings, services.restapi) : []),
  ];
  return {
    valid: errors.length === 0,
    files: loaded.value.files,
    errors,
    warnings: [
      ...settings.warnings,
      ...(await openFiles(loaded.value)),
      ...loopbackAddresses(loaded.value),
      ...openApi(services.restapi),
    ],
    notHonoured: settings.notHonoured,
  };
}

async function checkPorts(
  { postgres }: Settings,
  restapi: RestApiSettings,
): Promise<readonly ConfigProblem[]> {
  const problems = [...(await checkPort('restapi.listen', restapi.listenHost, restapi.listenPort))];
  for (const host of postgres.listenAddresses.split(',')) {
    const address = host === '*' ? '0.0.0.0' : host;
    problems.push(...(await checkPort('postgresql.listen', address, postgres.port)));
  }
  return problems;
}

async function checkFiles(
  { postgres }: Settings,
  { restapi, consul, ctl }: ServiceSettings,
): Promise<readonly ConfigProblem[]> {
  const named: readonly (readonly [key: string, path: string | undefined])[] = [
    ['restapi.certfile', restapi.certfile],
    ['restapi.keyfile', restapi.keyfile],
    ['restapi.cafile', restapi.cafile],
    ['consul.cacert', consul.cacert],
    ['consul.cert', consul.cert],
    ['consul.key', consul.key],
    ['ctl.cacert', ctl.cacert === restapi.cafile ? undefined : ctl.cacert],
    ['ctl.certfile', ctl.certfile === restapi.certfile ? undefined : ctl.certfile],
    ['ctl.keyfile', ctl.keyfile === restapi.keyfile ? undefined : ctl.keyfile],
    [
      'postgresql.custom_conf',
      isAbsolute(postgres.customConf ?? '') ? postgres.customConf : undefined,
    ],
  ];
  const checked = await Promise.all(named.map(([key, path]) => checkReadable(key, path)));
  return checked.flat();
}

/** Passwords in a file that every user of the host may read. */
async function openFiles({ files, tree }: LoadedConfig): Promise<readonly string[]> {
  if (!holdsSecret(tree)) return [];
  const open: string[] = [];
  for (const file of files) if (await isOpenToOthers(file)) open.push(file);
  return open.map(
    (file) => `${file}: holds passwords and every user of this host may read it (chmod 600)`,
  );
}

const holdsSecret = (value: unknown): boolean =>
  isTree(value) &&
  Object.entries(value).some(([key, inner]) =>
    isTree(inner) ? holdsSecret(inner) : isSecretPath([key]),
  );

function loopbackAddresses({ config }: LoadedConfig): readonly string[] {
  const addresses = [
    ['restapi.connect_address', config.restapi.connect_address.host],
    ['postgresql.connect_address', config.postgresql.connect_address.host],
  ] as const;
  return addresses
    .filter(([, host]) => isLoopback(host))
    .map(
      ([key, host]) =>
        `${key}: ${host} is reached from this host only; members on others need its own address`,
    );
}

function openApi({
  listenHost,
  authentication,
  allowlist,
  verifyClient,
}: RestApiSettings): readonly string[] {
  const guarded = authentication !== undefined || allowlist.length > 0 || verifyClient !== 'none';
  if (guarded || isLoopback(listenHost)) return [];
  return [
    'restapi: whoever reaches the port may switch over and restart; set restapi.authentication',
  ];
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host.startsWith('127.');
