import type { z } from 'zod';
import { keysAt, leafKeys } from '../wire/config/shape.ts';
import { dotted, isTree, valueAt, without } from './layer.ts';
import type { Layer, Origins, Path, RawTree } from './layer.ts';
import { wrongValue } from './problem.ts';
import type { ConfigProblem } from './problem.ts';
import { describeValue } from './redact.ts';
import { nearest } from './suggest.ts';

export interface Checked<T> {
  /** Undefined when a problem forbids to use it. */
  readonly value: T | undefined;
  /** The tree without unknown keys. */
  readonly tree: RawTree;
  readonly problems: readonly LocatedProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/** A problem with the path of the value, for those who go on without it. */
export type LocatedProblem = ConfigProblem & { readonly path: Path };

type Issue = z.core.$ZodIssue;

/** Checks a pruned tree against its schema: all problems at once; unknown keys are warnings. */
export function checkTree<T extends z.ZodType>(schema: T, layer: Layer): Checked<z.output<T>> {
  const first = schema.safeParse(layer.tree);
  if (first.success) return { value: first.data, tree: layer.tree, problems: [], warnings: [] };
  const { issues } = first.error;
  const unknown = issues.flatMap(unrecognizedPaths);
  const tree = unknown.reduce<RawTree>(without, layer.tree);
  const warnings = unknown.map((path) => unknownKey(schema, layer.origins, path));
  const problems = issues
    .filter(({ code }) => code !== 'unrecognized_keys')
    .map((issue) => toProblem(issue, layer, unknown));
  if (problems.length > 0) return { value: undefined, tree, problems, warnings };
  const second = schema.safeParse(tree);
  if (second.success) return { value: second.data, tree, problems: [], warnings };
  const left = second.error.issues.map((issue) => toProblem(issue, { ...layer, tree }, unknown));
  return { value: undefined, tree, problems: left, warnings };
}

/**
 * Drops what says nothing: keys without a value, and empty texts, which Patroni reads as unset.
 * PostgreSQL's parameters keep theirs, for there an empty text is a value.
 */
export function prune(tree: RawTree, insideParameters = false): RawTree {
  const entries = Object.entries(tree).flatMap(([key, value]): [string, unknown][] => {
    if (value === null || value === undefined) return [];
    if (value === '' && !insideParameters) return [];
    if (!isTree(value)) return [[key, value]];
    return [[key, prune(value, /^(parameters(_.*)?|recovery_conf)$/.test(key))]];
  });
  return Object.fromEntries(entries);
}

/** Warning about a key that nobody reads, with the key that was probably meant. */
export function unknownKey(schema: z.ZodType, origins: Origins, path: Path): ConfigProblem {
  const key = String(path.at(-1));
  const near = nearest(key, keysAt(schema, path.slice(0, -1)));
  const elsewhere = leafKeys(schema).filter((leaf) => leaf.endsWith(`.${key}`));
  const meant = near === undefined ? elsewhere[0] : near;
  const found = {
    origin: origins.find(path),
    key: origins.name(path),
    ...(meant === undefined ? {} : { suggestion: `did you mean "${meant}"?` }),
  };
  return { code: 'config-unknown-key', message: 'unknown key, it has no effect', ...found };
}

function unrecognizedPaths(issue: Issue): readonly Path[] {
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [];
}

function toProblem(issue: Issue, layer: Layer, unknown: readonly Path[]): LocatedProblem {
  const { path } = issue;
  const value = valueAt(layer.tree, path);
  const expected = expectedOf(issue);
  const origin = layer.origins.find(path);
  if (value === undefined) return missingKey(path, expected, layer, unknown);
  const problem = wrongValue(
    origin,
    layer.origins.name(path),
    expected,
    describeValue(path, value),
  );
  const quotes = typeof value === 'boolean' && expected.startsWith('text');
  const hint = quotes ? { suggestion: 'YAML reads this word as a boolean: put it in quotes' } : {};
  return { ...problem, ...hint, path };
}

/** Shown at the misspelt key beside it when there is one, else at the mapping where it belongs. */
function missingKey(
  path: Path,
  expected: string,
  { origins }: Layer,
  unknown: readonly Path[],
): LocatedProblem {
  const around = dotted(path.slice(0, -1));
  const beside = unknown.filter((other) => dotted(other.slice(0, -1)) === around);
  const names = beside.map((other) => String(other.at(-1)));
  const slip = nearest(String(path.at(-1)), names);
  const written = beside.find((other) => other.at(-1) === slip);
  return {
    code: 'config-missing-key',
    origin: origins.find(written ?? path),
    key: origins.name(path),
    message: `missing: expected ${expected}`,
    expected,
    suggestion:
      slip === undefined
        ? (EXAMPLES[dotted(path)] ?? `add "${String(path.at(-1))}:"`)
        : `"${slip}" stands here: did you mean "${String(path.at(-1))}"?`,
    path,
  };
}

const EXAMPLES: Readonly<Record<string, string>> = {
  scope: 'add "scope: main", the same on all members of the cluster',
  name: 'add "name: node1", different on every member',
  restapi: 'add "restapi:" with "listen: 0.0.0.0:8008" and "connect_address: 10.0.0.1:8008"',
  consul: 'add "consul:" with "host: 127.0.0.1:8500"; pgbaton works with Consul only',
  postgresql: 'add "postgresql:" with listen, connect_address, data_dir and authentication',
  'restapi.listen': 'add "listen: 0.0.0.0:8008" under restapi',
  'restapi.connect_address': 'add "connect_address: 10.0.0.1:8008" under restapi, with this host',
  'postgresql.listen': 'add "listen: 0.0.0.0:5432" under postgresql',
  'postgresql.connect_address':
    'add "connect_address: 10.0.0.1:5432" under postgresql, with this host',
  'postgresql.data_dir': 'add "data_dir: /var/lib/postgresql/data" under postgresql',
  'postgresql.authentication':
    'add "authentication:" under postgresql with superuser and replication, each with a username',
};

/** The words after "expected". Leaves carry them as their message, containers are named by kind. */
function expectedOf(issue: Issue): string {
  const builtIn = issue.message.startsWith('Invalid ');
  if (issue.code !== 'invalid_type' || !builtIn) return issue.message;
  return KIND[issue.expected] ?? issue.expected;
}

const KIND: Readonly<Record<string, string>> = {
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  string: 'text',
};
