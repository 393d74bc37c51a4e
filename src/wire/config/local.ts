import { z } from 'zod';
import { connectAddress, listenAddress, parseHostPort } from './addresses.ts';
import { dynamicConfigSchema } from './dynamic.ts';
import { localPostgresqlSchema } from './postgresql.ts';
import {
  bytes,
  duration,
  flag,
  integer,
  lines,
  oneOf,
  port,
  refuse,
  secret,
  text,
  textLike,
  textList,
  words,
} from './scalars.ts';
import { toolOptions } from './tool-options.ts';

const REST_PORT = 8008;
export const CONSUL_PORT = 8500;

const authentication = z.strictObject({ username: text(), password: secret() });

const log = z.strictObject({
  type: oneOf('plain', 'json').optional(),
  level: oneOf('debug', 'info', 'warning', 'warn', 'error', 'critical', 'fatal').optional(),
  traceback_level: oneOf('debug', 'info', 'warning', 'error', 'critical').optional(),
  format: z.json().optional(),
  dateformat: text().optional(),
  static_fields: words('a mapping of field names to texts').optional(),
  max_queue_size: integer(1).optional(),
  dir: text('a path').optional(),
  mode: fileMode().optional(),
  file_num: integer(1).optional(),
  file_size: bytes(1024).optional(),
  journal_size: bytes(0).optional(),
  loggers: words('a mapping of module names to levels').optional(),
  deduplicate_heartbeat_logs: flag().optional(),
});

const restapi = z.strictObject({
  listen: listenAddress(REST_PORT, false),
  connect_address: connectAddress(REST_PORT),
  authentication: authentication.optional(),
  certfile: text('a path').optional(),
  keyfile: text('a path').optional(),
  keyfile_password: secret().optional(),
  cafile: text('a path').optional(),
  ciphers: text().optional(),
  verify_client: oneOf('none', 'optional', 'required').optional(),
  allowlist: textList('addresses, networks or host names').optional(),
  allowlist_include_members: flag().optional(),
  http_extra_headers: words('a mapping of header names to texts').optional(),
  https_extra_headers: words('a mapping of header names to texts').optional(),
  request_queue_size: integer(0, 4096).optional(),
  thread_pool_size: integer(1).optional(),
  server_tokens: oneOf('original', 'productonly', 'minimal').optional(),
});

const consul = z.strictObject({
  host: consulHosts().optional(),
  url: consulUrl().optional(),
  port: port().optional(),
  scheme: oneOf('http', 'https').optional(),
  token: secret().optional(),
  verify: flag().optional(),
  cacert: text('a path').optional(),
  cert: text('a path').optional(),
  key: text('a path').optional(),
  dc: text().optional(),
  consistency: oneOf('default', 'consistent', 'stale').optional(),
  checks: textList('check names').optional(),
  register_service: flag().optional(),
  service_tags: textList('tags').optional(),
  service_check_interval: duration(1000).optional(),
  service_check_tls_server_name: text('a host name').optional(),
});

const ctl = z.strictObject({
  authentication: authentication.optional(),
  insecure: flag().optional(),
  cacert: text('a path').optional(),
  certfile: text('a path').optional(),
  keyfile: text('a path').optional(),
  keyfile_password: secret().optional(),
});

const watchdog = z.strictObject({
  mode: watchdogMode().optional(),
  device: text('a path').optional(),
  safety_margin: integer(-1).optional(),
  driver: oneOf('default', 'testing').optional(),
});

const tags = z.looseObject({
  nofailover: flag().optional(),
  failover_priority: integer(Number.MIN_SAFE_INTEGER).optional(),
  noloadbalance: flag().optional(),
  clonefrom: flag().optional(),
  replicatefrom: text('a member name').optional(),
  nosync: flag().optional(),
  sync_priority: integer(Number.MIN_SAFE_INTEGER).optional(),
  nostream: flag().optional(),
});

/** A further key is a custom bootstrap method: its section is checked by `customMethodSchema`. */
const bootstrap = z.looseObject({
  dcs: dynamicConfigSchema.optional(),
  method: text('a method name').optional(),
  initdb: toolOptions('initdb').optional(),
  post_bootstrap: text('a command').optional(),
  post_init: text('a command').optional(),
  pg_hba: lines().optional(),
});

const otherStore = () => z.json().optional();

const commonShape = {
  namespace: text('a path in Consul').optional(),
  thread_pool_size: integer(1).optional(),
  thread_stack_size: bytes(1024).optional(),
  log: log.optional(),
  bootstrap: bootstrap.optional(),
  ctl: ctl.optional(),
  watchdog: watchdog.optional(),
  tags: tags.optional(),
  citus: z.strictObject({ group: integer(0), database: text() }).optional(),
  etcd: otherStore(),
  etcd3: otherStore(),
  zookeeper: otherStore(),
  exhibitor: otherStore(),
  kubernetes: otherStore(),
  raft: otherStore(),
};

const NAME = /^[^/\s\p{Cc}]+$/u;
const clusterName = () => textLike(NAME, 'a cluster name without "/" and blanks');
const memberName = () =>
  textLike(NAME, 'a member name without "/" and blanks, unique in the cluster');

/** The local configuration of an agent, in Patroni's words; times come out in milliseconds, sizes in bytes. */
export const localConfigSchema = z.strictObject({
  scope: clusterName(),
  name: memberName(),
  restapi,
  postgresql: localPostgresqlSchema,
  consul,
  ...commonShape,
});

/** The same file as the command line client reads it: only what it uses must be there. */
export const clientConfigSchema = z.strictObject({
  scope: clusterName().optional(),
  name: memberName().optional(),
  restapi: restapi.partial().optional(),
  postgresql: z.json().optional(),
  consul: consul.optional(),
  ...commonShape,
});

export type LocalConfig = z.output<typeof localConfigSchema>;
export type ClientConfig = z.output<typeof clientConfigSchema>;
export type TagsConfig = z.output<typeof tags>;

/** `host:port`, several with commas or as a list. The port may stand in `consul.port` instead. */
function consulHosts() {
  const expected = 'host:port of Consul, or a list of them';
  return textList('host:port of Consul').transform((hosts, context) => {
    const good = hosts.length > 0 && hosts.every((host) => parseHostPort(host, CONSUL_PORT));
    return good ? hosts : refuse(context, expected);
  });
}

/** Patroni's words. YAML reads the bare `off` as a boolean. */
function watchdogMode() {
  const expected = 'one of automatic, required, off';
  return z
    .union([z.boolean(), z.string()], { error: expected })
    .transform((value, context): 'automatic' | 'required' | 'off' => {
      if (value === false || /^(off|disabled?)$/i.test(String(value))) return 'off';
      if (/^auto(matic)?$/i.test(String(value))) return 'automatic';
      return /^required?$/i.test(String(value)) ? 'required' : refuse(context, expected);
    });
}

function consulUrl() {
  const expected = 'an address such as http://127.0.0.1:8500, without user and password';
  return text(expected).transform((value, context) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    const plain = url?.username === '' && url.password === '' && url.hostname !== '';
    const scheme = url?.protocol === 'https:' ? 'https' : 'http';
    if (url === undefined || !plain || !/^https?:$/.test(url.protocol))
      return refuse(context, expected);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    return { scheme, host, port: Number(url.port || CONSUL_PORT) } as const;
  });
}

/** Permission bits: a number (YAML reads 0644 as octal) or text of octal digits. */
function fileMode() {
  const expected = 'permission bits, such as 0644';
  return z.union([z.number(), z.string()], { error: expected }).transform((value, context) => {
    const octal = typeof value === 'string' && /^(0o?)?[0-7]{3,4}$/.test(value);
    const bits = octal ? Number.parseInt(value.replace('o', ''), 8) : Number(value);
    return Number.isInteger(bits) && bits >= 0 && bits <= 0o7777 ? bits : refuse(context, expected);
  });
}
