import { z } from 'zod';
import { refuse } from './scalars.ts';

/** Options that pgbaton sets itself, by tool; given by the operator they would break what it relies on. */
const FORBIDDEN: Readonly<Record<Tool, readonly string[]>> = {
  initdb: ['pgdata', 'nosync', 'no-sync', 'pwfile', 'pwprompt', 'sync-only', 'version', 'help'],
  pg_basebackup: [
    'pgdata',
    'format',
    'wal-method',
    'xlog-method',
    'xlog',
    'gzip',
    'write-recovery-conf',
    'target',
    'version',
    'help',
    'dbname',
    'host',
    'port',
    'username',
    'password',
    'no-password',
  ],
  pg_rewind: [
    'target-pgdata',
    'source-pgdata',
    'source-server',
    'write-recovery-conf',
    'dry-run',
    'config-file',
    'no-ensure-shutdown',
    'version',
    'help',
  ],
};

export type Tool = 'initdb' | 'pg_basebackup' | 'pg_rewind';

const scalar = z.union([z.string(), z.number(), z.boolean()], { error: 'text or a number' });

/**
 * Options of a PostgreSQL tool: a list of `name` or `{name: value}`, or one mapping. Gives them in the
 * form `--name` and `--name=value`; `true` is a bare flag and `false` leaves the option out.
 */
export const toolOptions = (tool: Tool) => {
  const error = `a list of options of ${tool}, each a name or {name: value}`;
  const mapping = z.record(z.string(), scalar);
  return z
    .union([z.array(z.union([z.string(), mapping], { error })), mapping], { error })
    .transform((value, context) => {
      const options = pairs(value);
      const refused = options.find(([name, given]) => !isAllowed(tool, name, given));
      if (refused === undefined) return options.flatMap(([name, given]) => argument(name, given));
      return refuse(
        context,
        `options of ${tool} without "${refused[0]}", which pgbaton sets itself`,
      );
    });
};

type Scalar = string | number | boolean;
type Pair = readonly [name: string, value: Scalar];

function pairs(
  value: readonly (string | Record<string, Scalar>)[] | Record<string, Scalar>,
): Pair[] {
  if (!Array.isArray(value)) return Object.entries(value as Record<string, Scalar>);
  return value.flatMap((item: string | Record<string, Scalar>): Pair[] =>
    typeof item === 'string' ? [splitFlag(item)] : Object.entries(item),
  );
}

/** `name=value` written as one word is an option with a value. */
function splitFlag(item: string): Pair {
  const at = item.indexOf('=');
  return at < 0 ? [item, true] : [item.slice(0, at), item.slice(at + 1)];
}

function isAllowed(tool: Tool, name: string, value: Scalar): boolean {
  if (!/^[a-z][a-z0-9-]*$/.test(name)) return false;
  // Client-side compression yields a tar; what the server compresses is unpacked on arrival.
  if (tool === 'pg_basebackup' && name === 'compress') return String(value).startsWith('server-');
  return !FORBIDDEN[tool].includes(name);
}

function argument(name: string, value: Scalar): readonly string[] {
  if (value === true) return [`--${name}`];
  return value === false ? [] : [`--${name}=${value}`];
}
