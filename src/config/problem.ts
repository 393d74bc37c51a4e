import { failure } from '../core/result.ts';
import type { Failure } from '../core/result.ts';

/** Where a setting was written: a place in a file, or a variable of the environment. */
export type Origin =
  | { readonly kind: 'file'; readonly file: string; readonly line: number; readonly column: number }
  | { readonly kind: 'variable'; readonly variable: string }
  /** The dynamic configuration, or a whole source without a place in it. */
  | { readonly kind: 'document'; readonly name: string };

type ProblemCode =
  | 'config-unreadable'
  | 'config-syntax'
  | 'config-missing-key'
  | 'config-wrong-value'
  | 'config-unknown-key'
  | 'config-misplaced-key'
  | 'config-contradiction'
  | 'config-timing'
  | 'config-environment';

/** One thing that is wrong with the configuration, or suspicious. Never carries a secret. */
export interface ConfigProblem {
  readonly code: ProblemCode;
  readonly origin: Origin | undefined;
  /** Path with dots, such as `postgresql.listen`; empty for a whole document. */
  readonly key: string;
  /** What is wrong, in one sentence without the place. */
  readonly message: string;
  readonly expected?: string;
  readonly found?: string;
  /** What the operator does now. */
  readonly suggestion?: string;
}

/** A failure with all that was found, not only the first. */
export interface ConfigFailure extends Failure {
  readonly problems: readonly ConfigProblem[];
}

/** `pgbaton.yml:12:5`, `PATRONI_NAME`, or the name of the document. */
export function formatOrigin(origin: Origin): string {
  if (origin.kind === 'file') return `${origin.file}:${origin.line}:${origin.column}`;
  return origin.kind === 'variable' ? `environment variable ${origin.variable}` : origin.name;
}

/** One line: place, key, what is wrong, what to do. */
export function formatProblem(problem: ConfigProblem): string {
  const place = problem.origin === undefined ? [] : [formatOrigin(problem.origin)];
  const key = problem.key === '' ? [] : [problem.key];
  const line = [...place, ...key, problem.message].join(': ');
  return problem.suggestion === undefined ? line : `${line} (${problem.suggestion})`;
}

/** All problems as one failure, the first in the message, the others below it. */
export function configFailure(problems: readonly ConfigProblem[]): ConfigFailure {
  const lines = problems.map(formatProblem).join('\n');
  const remedy =
    'correct the configuration; `pgbaton validate` checks it without starting anything';
  return { ...failure('config-invalid', lines, remedy), problems };
}

/** "expected a boolean, found \"maybe\"" with its parts kept for programs. */
export function wrongValue(
  origin: Origin | undefined,
  key: string,
  expected: string,
  found: string,
): ConfigProblem {
  const message = `expected ${expected}, found ${found}`;
  return { code: 'config-wrong-value', origin, key, message, expected, found };
}
