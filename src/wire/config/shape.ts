import { z } from 'zod';

/** The object schema at a path; undefined when there is none. */
function objectAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodObject | undefined {
  let inner = unwrap(schema);
  for (const step of path) {
    const next = inner instanceof z.ZodObject ? inner.shape[String(step)] : undefined;
    if (next === undefined) return undefined;
    inner = unwrap(next as z.ZodType);
  }
  return inner instanceof z.ZodObject ? inner : undefined;
}

/** Keys that a mapping at a path may have by name. */
export const keysAt = (schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] =>
  Object.keys(objectAt(schema, path)?.shape ?? {});

/** Every leaf of a schema as a path with dots; mappings with free names count as leaves. */
export function leafKeys(schema: z.ZodType): readonly string[] {
  const object = unwrap(schema);
  if (!(object instanceof z.ZodObject)) return [''];
  return Object.entries(object.shape).flatMap(([key, inner]) =>
    leafKeys(inner as z.ZodType).map((rest) => (rest === '' ? key : `${key}.${rest}`)),
  );
}

function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) return unwrap(schema.unwrap() as z.ZodType);
  return schema;
}
