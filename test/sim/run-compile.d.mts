/** One text of one source file, replaced: a deliberate bug. */
export interface Mutation {
  /** Path in the repository, with slashes. */
  readonly file: string;
  /** Must occur exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** The repository that a file is in, whether it is the source or a compiled copy of it. */
export function repositoryOf(file: string): string;

/**
 * Compiles the simulator and the agent, and answers the folder: a mirror of the repository in
 * JavaScript that never changes again. Throws an Error with file and line where it cannot.
 */
export function compile(options?: {
  readonly root?: string;
  readonly mutation?: Mutation | readonly Mutation[] | undefined;
  /** What is to be run, by its path in the repository; the simulator unless told otherwise. */
  readonly entries?: readonly string[];
  /** `test/sim/mutants.ts` and all it loads, too. */
  readonly withMutants?: boolean;
}): string;
