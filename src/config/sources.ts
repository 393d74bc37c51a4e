import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readEnvironment, wholeConfiguration } from './environment.ts';
import type { Environment } from './environment.ts';
import { mergeLayers } from './layer.ts';
import type { Layer } from './layer.ts';
import type { ConfigProblem, Origin } from './problem.ts';
import { readYaml } from './read-yaml.ts';

export interface ConfigSource {
  /** A file, or a directory of *.yml and *.yaml; without it the environment alone is read. */
  readonly path: string | undefined;
  readonly environment: Environment;
}

export interface ReadSources {
  readonly layer: Layer;
  /** Files that were read, in their order. */
  readonly files: readonly string[];
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/** No configuration is as long; a path that leads to something else is found before it fills the memory. */
const LONGEST_FILE_BYTES = 4 * 1024 * 1024;

/** Reads files in sorted order, later over earlier, and the environment over them. */
export async function readSources(source: ConfigSource): Promise<ReadSources> {
  if (source.path !== undefined) return overlaid(await readPath(source.path), source.environment);
  const whole = wholeConfiguration(source.environment);
  // As in Patroni: where one variable holds everything, the others are not looked at.
  if (whole !== undefined) {
    const { layer, problems } = readYaml(whole.source, `$${whole.variable}`);
    return { layer, files: [], problems, warnings: [] };
  }
  const read = readEnvironment(source.environment);
  const nothing = Object.keys(read.layer.tree).length === 0 && read.problems.length === 0;
  return { ...read, files: [], problems: nothing ? [noSource()] : read.problems };
}

function overlaid(files: ReadSources, environment: Environment): ReadSources {
  const above = readEnvironment(environment);
  return {
    layer: mergeLayers([files.layer, above.layer]),
    files: files.files,
    problems: [...files.problems, ...above.problems],
    warnings: [...files.warnings, ...above.warnings],
  };
}

async function readPath(path: string): Promise<ReadSources> {
  const nothing: Layer = mergeLayers([]);
  const files = await listFiles(path);
  if ('problem' in files) {
    return { layer: nothing, files: [], problems: [files.problem], warnings: [] };
  }
  const layers: Layer[] = [];
  const problems: ConfigProblem[] = [];
  for (const file of files.names) {
    const read = await readOne(file);
    layers.push(read.layer);
    problems.push(...read.problems);
  }
  return { layer: mergeLayers(layers), files: files.names, problems, warnings: [] };
}

async function listFiles(
  path: string,
): Promise<{ readonly names: readonly string[] } | { readonly problem: ConfigProblem }> {
  try {
    if (!(await stat(path)).isDirectory()) return { names: [path] };
    const names = (await readdir(path)).filter((name) => /\.ya?ml$/.test(name)).sort();
    if (names.length > 0) return { names: names.map((name) => join(path, name)) };
    const suggestion = 'name a file, or put files ending in .yml or .yaml there';
    return { problem: unreadable(path, 'the directory holds no *.yml or *.yaml', suggestion) };
  } catch (error) {
    return { problem: unreadable(path, reasonOf(error), 'check the path and its permissions') };
  }
}

async function readOne(
  file: string,
): Promise<{ readonly layer: Layer; readonly problems: readonly ConfigProblem[] }> {
  const nothing: Layer = mergeLayers([]);
  try {
    const { size } = await stat(file);
    if (size > LONGEST_FILE_BYTES) {
      const message = `the file is longer than ${LONGEST_FILE_BYTES} bytes`;
      return { layer: nothing, problems: [unreadable(file, message, 'name the right file')] };
    }
    return readYaml(await readFile(file, 'utf8'), file);
  } catch (error) {
    const problem = unreadable(file, reasonOf(error), 'check the path and its permissions');
    return { layer: nothing, problems: [problem] };
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
};

/** Words for a code of the system; its own message would repeat the path. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return REASONS[code] ?? `cannot be read (${code})`;
}

function unreadable(name: string, message: string, suggestion: string): ConfigProblem {
  const origin: Origin = { kind: 'document', name };
  return { code: 'config-unreadable', origin, key: '', message, suggestion };
}

const noSource = (): ConfigProblem => ({
  code: 'config-unreadable',
  origin: undefined,
  key: '',
  message:
    'there is no configuration: no file is named and no PATRONI_ or PGBATON_ variable is set',
  suggestion: 'name a file: pgbaton agent /etc/pgbaton/pgbaton.yml',
});
