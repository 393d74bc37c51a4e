/** A broken assumption of the program itself, never of the world around it. */
export class BugError extends Error {
  override readonly name = 'BugError';
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new BugError(message);
}

export function unreachable(value: never): never {
  throw new BugError(`unreachable: ${String(value)}`);
}
