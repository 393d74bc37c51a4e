import { z } from 'zod';
import { connectAddress, listenAddress } from './addresses.ts';
import { duration, flag, lines, oneOf, parameters, secret, text, textList } from './scalars.ts';
import { toolOptions } from './tool-options.ts';

const POSTGRES_PORT = 5432;

const binaries = z.strictObject({
  pg_ctl: text().optional(),
  initdb: text().optional(),
  pg_controldata: text().optional(),
  pg_basebackup: text().optional(),
  postgres: text().optional(),
  pg_isready: text().optional(),
  pg_rewind: text().optional(),
  pg_waldump: text().optional(),
});

const callbacks = z.strictObject({
  on_start: text('a command').optional(),
  on_stop: text('a command').optional(),
  on_restart: text('a command').optional(),
  on_reload: text('a command').optional(),
  on_role_change: text('a command').optional(),
});

const credentialsShape = {
  password: secret().optional(),
  sslmode: oneOf('disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full').optional(),
  sslkey: text('a path').optional(),
  sslpassword: secret().optional(),
  sslcert: text('a path').optional(),
  sslrootcert: text('a path').optional(),
  sslcrl: text('a path').optional(),
  sslcrldir: text('a path').optional(),
  gssencmode: oneOf('disable', 'prefer', 'require').optional(),
  channel_binding: oneOf('disable', 'prefer', 'require').optional(),
  sslnegotiation: oneOf('postgres', 'direct').optional(),
};

const credentials = z.strictObject({ username: text('a role name'), ...credentialsShape });

export type CredentialsConfig = z.output<typeof credentials>;

/** What both the local and the dynamic configuration may say of Postgres. */
const sharedPostgresqlShape = {
  bin_dir: text('a path').optional(),
  bin_name: binaries.optional(),
  database: text().optional(),
  callbacks: callbacks.optional(),
  create_replica_methods: textList('method names').optional(),
  create_replica_method: textList('method names').optional(),
  basebackup: toolOptions('pg_basebackup').optional(),
  rewind: toolOptions('pg_rewind').optional(),
  recovery_conf: parameters().optional(),
  custom_conf: text('a path').optional(),
  config_base_name: text().optional(),
  parameters: parameters().optional(),
  parameters_primary: parameters().optional(),
  parameters_replica: parameters().optional(),
  parameters_standby_leader: parameters().optional(),
  pg_hba: lines().optional(),
  pg_hba_primary: lines().optional(),
  pg_hba_replica: lines().optional(),
  pg_hba_standby_leader: lines().optional(),
  pg_ident: lines().optional(),
  pg_ident_primary: lines().optional(),
  pg_ident_replica: lines().optional(),
  pg_ident_standby_leader: lines().optional(),
  pg_ctl_timeout: duration(1000).optional(),
  use_pg_rewind: flag().optional(),
  use_slots: flag().optional(),
  remove_data_directory_on_rewind_failure: flag().optional(),
  remove_data_directory_on_diverged_timelines: flag().optional(),
  pre_promote: text('a command').optional(),
  before_stop: text('a command').optional(),
  use_unix_socket: flag().optional(),
  use_unix_socket_repl: flag().optional(),
  krbsrvname: text().optional(),
};

const localShape = {
  listen: listenAddress(POSTGRES_PORT, true),
  connect_address: connectAddress(POSTGRES_PORT),
  proxy_address: connectAddress(POSTGRES_PORT).optional(),
  data_dir: text('a path'),
  config_dir: text('a path').optional(),
  pgpass: text('a path').optional(),
  authentication: z.strictObject({
    superuser: credentials,
    replication: credentials,
    rewind: credentials.optional(),
  }),
};

/** Keys of `postgresql` that name one host: in the dynamic configuration they are dropped. */
export const HOST_ONLY_KEYS: readonly string[] = Object.keys(localShape);

/** A further key is a replica creation method: its section is checked by `customMethodSchema`. */
export const localPostgresqlSchema = z.looseObject({ ...localShape, ...sharedPostgresqlShape });
export const dynamicPostgresqlSchema = z.looseObject(sharedPostgresqlShape);

export type DynamicPostgresqlConfig = z.output<typeof dynamicPostgresqlSchema>;

/** Section of a replica creation method or of a custom bootstrap; any further key is its parameter. */
export const customMethodSchema = z
  .object({
    command: text('a command'),
    no_params: flag().optional(),
    keep_data: flag().optional(),
    no_leader: flag().optional(),
    no_master: flag().optional(),
    keep_existing_recovery_conf: flag().optional(),
    recovery_conf: parameters().optional(),
  })
  .catchall(z.union([z.string(), z.number(), z.boolean()], { error: 'text or a number' }));

export type CustomMethodConfig = z.output<typeof customMethodSchema>;
