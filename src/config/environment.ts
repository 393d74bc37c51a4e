import { Origins, isTree, mergeTrees } from './layer.ts';
import type { Layer, RawTree } from './layer.ts';
import { wrongValue } from './problem.ts';
import type { ConfigProblem, Origin } from './problem.ts';
import { readFragment } from './read-yaml.ts';
import { nearest } from './suggest.ts';

/** Variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The prefixes, the later one wins where both give a variable. */
const PREFIXES = ['PATRONI_', 'PGBATON_'] as const;
const WHOLE = 'CONFIGURATION';

/** How the text of a variable is read: as it is, or as a list or mapping without its brackets. */
type Kind = 'text' | 'list' | 'mapping';
interface Variable {
  readonly path: readonly string[];
  readonly kind: Kind;
}

const section = (prefix: string, path: readonly string[], names: string, kind: Kind = 'text') =>
  names.split(' ').map((name): [string, Variable] => {
    const suffix = prefix === '' ? name : `${prefix}_${name}`;
    return [suffix, { path: [...path, name.toLowerCase()], kind }];
  });

const login = (prefix: string, path: readonly string[]) =>
  section(prefix, [...path, 'authentication'], 'USERNAME PASSWORD');

const role = (name: string) =>
  section(
    name,
    ['postgresql', 'authentication', name.toLowerCase()],
    'USERNAME PASSWORD SSLMODE SSLKEY SSLPASSWORD SSLCERT SSLROOTCERT SSLCRL SSLCRLDIR GSSENCMODE CHANNEL_BINDING SSLNEGOTIATION',
  );

const renamed = (suffix: string, ...path: readonly string[]): [string, Variable] => [
  suffix,
  { path, kind: 'text' },
];

/** Patroni's variables without their prefix, and the key each stands for. */
const VARIABLES: ReadonlyMap<string, Variable> = new Map([
  ...section('', [], 'NAME NAMESPACE SCOPE THREAD_POOL_SIZE THREAD_STACK_SIZE'),
  ...section(
    'LOG',
    ['log'],
    'TYPE LEVEL TRACEBACK_LEVEL DATEFORMAT MAX_QUEUE_SIZE DIR MODE FILE_SIZE FILE_NUM DEDUPLICATE_HEARTBEAT_LOGS',
  ),
  ...section('LOG', ['log'], 'FORMAT'),
  ...section('LOG', ['log'], 'STATIC_FIELDS LOGGERS', 'mapping'),
  renamed('LOGLEVEL', 'log', 'level'),
  renamed('LOGFORMAT', 'log', 'format'),
  renamed('LOG_DATEFMT', 'log', 'dateformat'),
  ...login('RESTAPI', ['restapi']),
  ...section(
    'RESTAPI',
    ['restapi'],
    'LISTEN CONNECT_ADDRESS CERTFILE KEYFILE KEYFILE_PASSWORD CAFILE CIPHERS VERIFY_CLIENT ALLOWLIST_INCLUDE_MEMBERS REQUEST_QUEUE_SIZE THREAD_POOL_SIZE SERVER_TOKENS',
  ),
  ...section('RESTAPI', ['restapi'], 'HTTP_EXTRA_HEADERS HTTPS_EXTRA_HEADERS', 'mapping'),
  ...section('RESTAPI', ['restapi'], 'ALLOWLIST', 'list'),
  ...login('CTL', ['ctl']),
  ...section('CTL', ['ctl'], 'INSECURE CACERT CERTFILE KEYFILE KEYFILE_PASSWORD'),
  ...section(
    'POSTGRESQL',
    ['postgresql'],
    'LISTEN CONNECT_ADDRESS PROXY_ADDRESS CONFIG_DIR DATA_DIR PGPASS BIN_DIR',
  ),
  ...section(
    'POSTGRESQL_BIN',
    ['postgresql', 'bin_name'],
    'PG_CTL INITDB PG_CONTROLDATA PG_BASEBACKUP POSTGRES PG_ISREADY PG_REWIND PG_WALDUMP',
  ),
  ...['SUPERUSER', 'REPLICATION', 'REWIND'].flatMap(role),
  ...section(
    'CONSUL',
    ['consul'],
    'URL PORT SCHEME TOKEN VERIFY CACERT CERT KEY DC CONSISTENCY REGISTER_SERVICE SERVICE_CHECK_INTERVAL SERVICE_CHECK_TLS_SERVER_NAME',
  ),
  ...section('CONSUL', ['consul'], 'HOST CHECKS SERVICE_TAGS', 'list'),
  ...section('CITUS', ['citus'], 'GROUP DATABASE'),
]);

const OTHER_STORE = /^(ETCD3?|ZOOKEEPER|EXHIBITOR|KUBERNETES|RAFT)_(\w+)$/;

export interface EnvironmentLayer {
  readonly layer: Layer;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/** Settings given by variables; an empty one is unset. */
export function readEnvironment(environment: Environment): EnvironmentLayer {
  const origins = new Origins();
  const problems: ConfigProblem[] = [];
  const warnings: ConfigProblem[] = [];
  let tree: RawTree = {};
  for (const [name, suffix, given] of settingVariables(environment)) {
    const variable = variableOf(suffix);
    const origin: Origin = { kind: 'variable', variable: name };
    if (variable === undefined) {
      warnings.push(...unknownVariable(name, suffix, origin));
      continue;
    }
    const read = readValue(variable.kind, given);
    if (read === undefined) {
      const key = variable.path.join('.');
      problems.push(wrongValue(origin, key, 'a YAML mapping', 'something else'));
      continue;
    }
    origins.set(variable.path, origin);
    tree = mergeTrees(tree, nest(variable.path, read.value));
  }
  return { layer: { tree, origins }, problems, warnings };
}

/** The whole configuration in one variable, which then is the only source. */
export function wholeConfiguration(
  environment: Environment,
): { readonly variable: string; readonly source: string } | undefined {
  for (const prefix of [...PREFIXES].reverse()) {
    const variable = prefix + WHOLE;
    const source = environment[variable];
    if (source !== undefined && source.trim() !== '') return { variable, source };
  }
  return undefined;
}

/** All variables without their prefix, and the key each gives. */
export const variableKeys = (): Readonly<Record<string, string>> =>
  Object.fromEntries([...VARIABLES].map(([name, { path }]) => [name, path.join('.')]));

function settingVariables(
  environment: Environment,
): readonly (readonly [name: string, suffix: string, value: string])[] {
  return PREFIXES.flatMap((prefix) =>
    Object.entries(environment)
      .map(([name, value]) => [name, stripPrefix(name, prefix) ?? '', value ?? ''] as const)
      .filter(([, suffix, value]) => suffix !== '' && suffix !== WHOLE && value.trim() !== ''),
  );
}

const stripPrefix = (name: string, prefix: string): string | undefined =>
  name.startsWith(prefix) ? name.slice(prefix.length) : undefined;

function variableOf(suffix: string): Variable | undefined {
  const store = OTHER_STORE.exec(suffix);
  if (store === null) return VARIABLES.get(suffix);
  return { path: [store[1] ?? '', store[2] ?? ''].map((part) => part.toLowerCase()), kind: 'text' };
}

/** Read elsewhere: the command line client's name of the file. */
const NO_SETTINGS = new Set(['PGBATON_CONFIG_FILE']);

/** pgbaton's prefix also serves variables that are no settings, so there only a likely slip is worth a word. */
function unknownVariable(name: string, suffix: string, origin: Origin): readonly ConfigProblem[] {
  if (NO_SETTINGS.has(name)) return [];
  const near = nearest(suffix, [...VARIABLES.keys()]);
  const prefix = name.slice(0, name.length - suffix.length);
  if (near === undefined && prefix === 'PGBATON_') return [];
  const suggestion = near === undefined ? {} : { suggestion: `did you mean ${prefix}${near}?` };
  const message = 'unknown variable, it has no effect';
  return [{ code: 'config-unknown-key', origin, key: '', message, ...suggestion }];
}

function readValue(kind: Kind, given: string): { readonly value: unknown } | undefined {
  if (kind === 'text') return { value: given };
  const bare = given.trim();
  if (kind === 'mapping') {
    const read = readFragment(bare.startsWith('{') ? bare : `{${bare}}`);
    return read !== undefined && isTree(read.value) ? read : undefined;
  }
  const read = readFragment(/^-|^\[/.test(bare) ? bare : `[${bare}]`);
  // What is no plain list in YAML, such as [::1]:8500, is one with commas for the schema.
  const plain = Array.isArray(read?.value) && !read.value.some((item) => typeof item === 'object');
  return plain ? read : { value: bare };
}

function nest(path: readonly string[], value: unknown): RawTree {
  const [first, ...rest] = path;
  if (first === undefined) return isTree(value) ? value : {};
  return { [first]: rest.length === 0 ? value : nest(rest, value) };
}
