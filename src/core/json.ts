export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Deeper documents are refused: nothing we read is, and a recursion must not end the process. */
export const JSON_DEPTH_MAX = 32;

/** Whether a document of any origin may be walked through by recursion. */
export function isShallow(value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return (
    depth < JSON_DEPTH_MAX && Object.values(value).every((member) => isShallow(member, depth + 1))
  );
}
