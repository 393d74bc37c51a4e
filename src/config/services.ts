import type {
  BasicAuthentication,
  ConsulAddress,
  ConsulSettings,
  CtlSettings,
  LogSettings,
  RestApiSettings,
} from '../core/service-settings.ts';
import { formatHostPort, parseHostPort } from '../wire/config/addresses.ts';
import { CONSUL_PORT } from '../wire/config/local.ts';
import type { ClientConfig, LocalConfig } from '../wire/config/local.ts';
import { DEFAULT_CONSUL, DEFAULT_LOG, DEFAULT_NAMESPACE } from './defaults.ts';
import type { ClientSettings, ServiceSettings } from './types.ts';

export function resolveServices(config: LocalConfig): ServiceSettings {
  return {
    restapi: resolveRestApi(config.restapi),
    consul: resolveConsul(config.consul),
    log: resolveLog(config.log),
    ctl: resolveCtl(config.ctl, config.restapi),
  };
}

export function resolveClient(config: ClientConfig): ClientSettings {
  return {
    scope: config.scope,
    namespace: resolveNamespace(config.namespace),
    consul: resolveConsul(config.consul ?? {}),
    ctl: resolveCtl(config.ctl, config.restapi),
  };
}

/** Without slashes at its ends, as Consul's keys have it. */
export const resolveNamespace = (namespace: string | undefined): string =>
  (namespace ?? DEFAULT_NAMESPACE).replace(/^\/+|\/+$/g, '');

function resolveRestApi(config: LocalConfig['restapi']): RestApiSettings {
  const host = config.listen.hosts[0] ?? '*';
  const https = config.certfile === undefined ? {} : config.https_extra_headers;
  return {
    listenHost: host === '*' ? '0.0.0.0' : host,
    listenPort: config.listen.port,
    connectAddress: formatHostPort(config.connect_address),
    authentication: config.authentication,
    certfile: config.certfile,
    keyfile: config.keyfile,
    keyfilePassword: config.keyfile_password,
    cafile: config.cafile,
    ciphers: config.ciphers,
    verifyClient: config.verify_client ?? 'none',
    allowlist: config.allowlist ?? [],
    allowlistIncludeMembers: config.allowlist_include_members ?? false,
    extraHeaders: { ...config.http_extra_headers, ...https },
    serverTokens: config.server_tokens ?? 'original',
  };
}

function resolveConsul(config: LocalConfig['consul']): ConsulSettings {
  return {
    addresses: consulAddresses(config),
    scheme: config.url?.scheme ?? config.scheme ?? DEFAULT_CONSUL.scheme,
    token: config.token,
    verify: config.verify ?? true,
    cacert: config.cacert,
    cert: config.cert,
    key: config.key,
    datacenter: config.dc,
    consistency: config.consistency ?? DEFAULT_CONSUL.consistency,
    checks: config.checks ?? [],
    registerService: config.register_service ?? false,
    serviceTags: config.service_tags ?? [],
    serviceCheckIntervalMillis:
      config.service_check_interval ?? DEFAULT_CONSUL.serviceCheckIntervalMillis,
    serviceCheckTlsServerName: config.service_check_tls_server_name,
  };
}

/** As in Patroni, `url` goes before `host`, and `port` completes a host without one. */
function consulAddresses(config: LocalConfig['consul']): readonly ConsulAddress[] {
  if (config.url !== undefined) return [{ host: config.url.host, port: config.url.port }];
  const hosts = config.host ?? [DEFAULT_CONSUL.host];
  return hosts.flatMap((host) => parseHostPort(host, config.port ?? CONSUL_PORT) ?? []);
}

const LEVELS = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  critical: 'fatal',
  fatal: 'fatal',
} as const;

function resolveLog(config: LocalConfig['log'] = {}): LogSettings {
  return {
    type: config.type,
    level: LEVELS[config.level ?? DEFAULT_LOG.level],
    staticFields: config.static_fields ?? {},
    dir: config.dir,
    fileMode: config.mode,
    fileCount: config.file_num ?? DEFAULT_LOG.fileCount,
    fileSizeBytes: config.file_size ?? DEFAULT_LOG.fileSizeBytes,
    journalSizeBytes: config.journal_size ?? DEFAULT_LOG.journalSizeBytes,
    deduplicateHeartbeats: config.deduplicate_heartbeat_logs ?? false,
  };
}

interface Fallback {
  readonly authentication?: BasicAuthentication | undefined;
  readonly cafile?: string | undefined;
  readonly certfile?: string | undefined;
  readonly keyfile?: string | undefined;
  readonly keyfile_password?: CtlSettings['keyfilePassword'];
}

/** A client certificate comes whole from one section: its key would not fit another's. */
function resolveCtl(config: LocalConfig['ctl'] = {}, restapi: Fallback = {}): CtlSettings {
  const pair = config.certfile === undefined ? restapi : config;
  return {
    authentication: config.authentication ?? restapi.authentication,
    insecure: config.insecure ?? false,
    cacert: config.cacert ?? restapi.cafile,
    certfile: pair.certfile,
    keyfile: pair.keyfile,
    keyfilePassword: pair.keyfile_password,
  };
}
