/** Outcome of what may fail in an expected way. Bugs are exceptions; refusals and faults are values. */
export type Result<T, E = Failure> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

/** An expected failure: what happened, and what to do about it. Never carries a secret. */
export interface Failure {
  /** Stable and greppable, for example `postgres-port-in-use`. */
  readonly code: string;
  readonly message: string;
  /** What the operator does now; absent when nothing needs doing. */
  readonly remedy?: string;
}

export const ok = <T>(value: T): Result<T, never> => ({ ok: true, value });
export const done: Result<void, never> = { ok: true, value: undefined };
export const err = <E>(error: E): Result<never, E> => ({ ok: false, error });

export function failure(code: string, message: string, remedy?: string): Failure {
  return remedy === undefined ? { code, message } : { code, message, remedy };
}

export const fail = (code: string, message: string, remedy?: string): Result<never, Failure> =>
  err(failure(code, message, remedy));
