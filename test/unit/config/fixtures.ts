import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import type { LoadedConfig } from '../../../src/config/load.ts';
import { formatProblem } from '../../../src/config/problem.ts';
import type { ConfigProblem } from '../../../src/config/problem.ts';
import { createSettingsSource } from '../../../src/config/resolve.ts';
import type { ConfiguredSource } from '../../../src/config/types.ts';

/** The smallest configuration of a member that can bootstrap. */
export const MINIMAL = `scope: main
name: node1
restapi:
  listen: 0.0.0.0:8008
  connect_address: 10.0.0.1:8008
consul:
  host: 127.0.0.1:8500
postgresql:
  listen: 0.0.0.0:5432
  connect_address: 10.0.0.1:5432
  data_dir: /data
  authentication:
    superuser:
      username: postgres
      password: super-word
    replication:
      username: replicator
      password: repl-word
`;

const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

/** Files in a fresh directory that goes away after the test; gives the directory. */
export function writeFiles(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'pgbaton-config-'));
  directories.push(directory);
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), content);
  return directory;
}

export const writeConfig = (content: string): string =>
  join(writeFiles({ 'pgbaton.yml': content }), 'pgbaton.yml');

export type Variables = Readonly<Record<string, string>>;

export async function load(content: string, environment: Variables = {}): Promise<LoadedConfig> {
  const loaded = await loadConfig({ path: writeConfig(content), environment });
  if (!loaded.ok) throw new Error(loaded.error.problems.map(formatProblem).join('\n'));
  return loaded.value;
}

/** Problems of a configuration that must not load, each as one line with the file's base name. */
export async function problemsOf(
  content: string,
  environment: Variables = {},
): Promise<readonly string[]> {
  return (await rawProblemsOf(content, environment)).map(shortLine);
}

export async function rawProblemsOf(
  content: string,
  environment: Variables = {},
): Promise<readonly ConfigProblem[]> {
  const loaded = await loadConfig({ path: writeConfig(content), environment });
  if (loaded.ok) throw new Error('this configuration loads');
  return loaded.error.problems;
}

export async function warningsOf(
  content: string,
  environment: Variables = {},
): Promise<readonly string[]> {
  return (await load(content, environment)).warnings.map(shortLine);
}

export async function sourceOf(
  content: string,
  environment: Variables = {},
): Promise<ConfiguredSource> {
  return sourceAt(writeConfig(content), environment);
}

export async function sourceAt(
  path: string,
  environment: Variables = {},
): Promise<ConfiguredSource> {
  const source = await createSettingsSource({ path, environment });
  if (!source.ok) throw new Error(source.error.message);
  return source.value;
}

const shortLine = (problem: ConfigProblem): string =>
  formatProblem(problem).replace(/^\S*\/(?=[^/\s:]+:\d)/, '');
