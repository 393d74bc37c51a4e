/** Prefixes of variables that configure the agent or its supervisor, with secrets among them. */
const OWN_PREFIXES = ['PATRONI_', 'PGBATON_', 'CONSUL_', 'KUBERNETES_', 'NOTIFY_', 'WATCHDOG_'];

const TOOL_VARIABLES = ['PATH', 'HOME', 'TZ', 'LD_LIBRARY_PATH', 'TMPDIR'];

function pick(keep: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value !== undefined && keep(name) ? [[name, value]] : [],
    ),
  );
}

/** For PostgreSQL's own programs: nothing of libpq's defaults leaks in, and messages are in English, since some are parsed. */
export const toolEnvironment = (
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> => ({
  ...pick((name) => TOOL_VARIABLES.includes(name) || /^(?:KRB5|OPENSSL_|SSL_CERT_)/.test(name)),
  LC_ALL: 'C',
  ...extra,
});

/**
 * For initdb: the locale of the new cluster comes from here, so it is kept, except for the
 * language of messages.
 */
export function initdbEnvironment(): Record<string, string> {
  const { LC_ALL: all, ...kept } = pick(
    (name) => name === 'LANG' || name.startsWith('LC_') || TOOL_VARIABLES.includes(name),
  );
  return { ...kept, ...(all === undefined ? {} : { LANG: all }), LC_MESSAGES: 'C' };
}

/** True when nothing in the environment names a locale: initdb would choose C and no encoding. */
export const localeIsUnset = (): boolean =>
  ['LC_ALL', 'LC_CTYPE', 'LANG'].every((name) => (process.env[name] ?? '') === '');

/**
 * For the postmaster, whose archive and restore commands need what the operator set, and for
 * callbacks and custom methods; without the agent's own configuration.
 */
export const operatorEnvironment = (
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> => ({
  ...pick((name) => !OWN_PREFIXES.some((prefix) => name.startsWith(prefix))),
  ...extra,
});

/** For pg_rewind, which runs the operator's restore_command but is one of PostgreSQL's own programs. */
export const restoringToolEnvironment = (
  extra: Readonly<Record<string, string>>,
): Record<string, string> => ({
  ...pick(
    (name) =>
      !/^(?:PG|LC_|LANG$)/.test(name) && !OWN_PREFIXES.some((prefix) => name.startsWith(prefix)),
  ),
  LC_ALL: 'C',
  ...extra,
});
