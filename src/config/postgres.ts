import { resolve } from 'node:path';
import type {
  BootstrapSettings,
  Credentials,
  CustomCommand,
  PostgresSettings,
} from '../core/settings.ts';
import type { JsonObject } from '../core/json.ts';
import type { CredentialsConfig, DynamicPostgresqlConfig } from '../wire/config/postgresql.ts';
import { DEFAULT_POSTGRES } from './defaults.ts';
import type { DynamicState } from './dynamic.ts';
import type { LoadedConfig } from './load.ts';
import { toCustomCommand } from './methods.ts';
import type { CustomMethods } from './methods.ts';
import { resolveParameters } from './parameters.ts';

/** Keys that both layers may hold; the local one wins as a whole, as in Patroni. */
export function overlayPostgresql(
  local: DynamicPostgresqlConfig,
  dynamic: DynamicPostgresqlConfig,
): DynamicPostgresqlConfig {
  return { ...dynamic, ...local };
}

export function resolvePostgres(
  loaded: LoadedConfig,
  dynamic: DynamicState,
): { readonly postgres: PostgresSettings; readonly warnings: readonly string[] } {
  const local = loaded.config.postgresql;
  const above = dynamic.config.postgresql ?? {};
  const shared = overlayPostgresql(local, above);
  const methods = resolveReplicaMethods(shared, { ...dynamic.methods, ...loaded.replicaMethods });
  const effective = resolveParameters({
    dynamic: above.parameters ?? {},
    local: local.parameters ?? {},
    recoveryConf: shared.recovery_conf ?? {},
  });
  const { unix_socket_directories: sockets } = effective.parameters;
  const postgres: PostgresSettings = {
    ...resolveAddresses(local),
    ...resolveRoles(local.authentication, shared.krbsrvname),
    dataDir: resolve(local.data_dir),
    configDir: absolute(local.config_dir),
    binDir: absolute(shared.bin_dir),
    binNames: defined(shared.bin_name ?? {}),
    database: shared.database ?? DEFAULT_POSTGRES.database,
    pgpass: absolute(local.pgpass),
    useUnixSocket: shared.use_unix_socket ?? false,
    unixSocketDirectories: sockets === undefined ? undefined : String(sockets),
    customConf: shared.custom_conf,
    parameters: effective.parameters,
    clusterParameters: effective.clusterParameters,
    recoveryConf: effective.recoveryConf,
    pgHba: shared.pg_hba,
    pgIdent: shared.pg_ident,
    pgCtlTimeoutMillis: shared.pg_ctl_timeout ?? DEFAULT_POSTGRES.pgCtlTimeoutMillis,
    replicaMethods: methods.methods,
    basebackupOptions: shared.basebackup ?? [],
    rewindOptions: shared.rewind ?? [],
    callbacks: defined(shared.callbacks ?? {}),
    prePromote: shared.pre_promote,
    beforeStop: shared.before_stop,
  };
  return { postgres, warnings: [...effective.warnings, ...methods.warnings] };
}

/** Undefined without a section: such a member never starts a new cluster. */
export function resolveBootstrap(loaded: LoadedConfig): BootstrapSettings | undefined {
  const { bootstrap } = loaded.config;
  if (bootstrap === undefined) return undefined;
  const method =
    bootstrap.method === undefined ? undefined : loaded.bootstrapMethods[bootstrap.method];
  return {
    initdbOptions: bootstrap.initdb ?? [],
    custom: method === undefined ? undefined : toCustomCommand(bootstrap.method ?? '', method),
    postBootstrap: bootstrap.post_bootstrap ?? bootstrap.post_init,
    pgHba: bootstrap.pg_hba,
    dynamic: loaded.bootstrapDynamic.tree as JsonObject,
  };
}

type LocalPostgresql = LoadedConfig['config']['postgresql'];

function resolveAddresses(local: LocalPostgresql) {
  return {
    listenAddresses: local.listen.hosts.join(','),
    port: local.listen.port,
    connectHost: local.connect_address.host,
    connectPort: local.connect_address.port,
  };
}

function resolveRoles(
  { superuser, replication, rewind }: LocalPostgresql['authentication'],
  kerberosService: string | undefined,
): Record<'superuser' | 'replication' | 'rewind', Credentials> {
  return {
    superuser: toCredentials(superuser, kerberosService),
    replication: toCredentials(replication, kerberosService),
    rewind: toCredentials(rewind ?? superuser, kerberosService),
  };
}

function toCredentials(
  config: CredentialsConfig,
  kerberosService: string | undefined,
): Credentials {
  const { username, password, sslpassword, ...options } = config;
  const kerberos = kerberosService === undefined ? {} : { krbsrvname: kerberosService };
  return {
    username,
    password,
    options: { ...defined(options), ...kerberos },
    ...(sslpassword === undefined ? {} : { sslPassword: sslpassword }),
  };
}

function resolveReplicaMethods(
  shared: DynamicPostgresqlConfig,
  sections: CustomMethods,
): {
  readonly methods: readonly ('basebackup' | CustomCommand)[];
  readonly warnings: readonly string[];
} {
  const names =
    shared.create_replica_methods ??
    shared.create_replica_method ??
    DEFAULT_POSTGRES.replicaMethods;
  const missing = names.filter((name) => name !== 'basebackup' && sections[name] === undefined);
  return {
    methods: names.flatMap((name): ('basebackup' | CustomCommand)[] => {
      if (name === 'basebackup') return ['basebackup'];
      const section = sections[name];
      return section === undefined ? [] : [toCustomCommand(name, section)];
    }),
    warnings: missing.map(
      (name) =>
        `postgresql.create_replica_methods: "${name}" is left out: there is no section postgresql.${name} with a command`,
    ),
  };
}

/** Postgres and the guardian run in other directories than the agent. */
const absolute = (path: string | undefined): string | undefined =>
  path === undefined ? undefined : resolve(path);

function defined(options: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}
