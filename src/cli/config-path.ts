import { existsSync } from 'node:fs';
import { join } from 'node:path';

export interface SettingsOptions {
  readonly configFile?: string;
  readonly dcsUrl?: string;
  readonly insecure?: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Files that are read when none is named; the first that is there. */
export function defaultFiles(env: Environment): readonly string[] {
  const home = env['HOME'] ?? '';
  const config = env['XDG_CONFIG_HOME'] ?? (home === '' ? '' : join(home, '.config'));
  const own =
    config === ''
      ? []
      : [join(config, 'patroni/patronictl.yaml'), join(config, 'pgbaton/pgbaton.yml')];
  return [...own, '/etc/pgbaton/pgbaton.yml'];
}

/** The file that is named, else the first of the usual ones that is there. */
export function configPath(options: SettingsOptions, env: Environment): string | undefined {
  const named = [options.configFile, env['PGBATON_CONFIG_FILE'], env['PATRONICTL_CONFIG_FILE']];
  return (
    named.find((path) => (path ?? '') !== '') ?? defaultFiles(env).find((path) => existsSync(path))
  );
}

/** What `agent` and `validate` read when no file is named: never a client's file. */
export function agentConfigPath(options: SettingsOptions, env: Environment): string | undefined {
  const named = [options.configFile, env['PGBATON_CONFIG_FILE']];
  return named.find((path) => (path ?? '') !== '');
}
