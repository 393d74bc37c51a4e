import { z } from 'zod';
import type { Json, JsonObject } from '../core/json.ts';
import { localConfigSchema } from '../wire/config/local.ts';
import { findSetting } from './reference.ts';

/**
 * The local configuration as JSON Schema, for editors; the descriptions come from the reference. The
 * file in config/ is made from it, and a test holds the two together.
 */
export function configJsonSchema(): JsonObject {
  const schema = z.toJSONSchema(localConfigSchema, {
    io: 'input',
    reused: 'inline',
    override: ({ jsonSchema, path }) => {
      const row = findSetting(settingPath(path));
      if (row === undefined || path.at(-2) !== 'properties') return;
      const initial =
        row.default === '' || row.default === 'required' ? '' : ` (default ${row.default})`;
      jsonSchema.description = `${row.meaning}; ${row.unit}${initial}`;
    },
  });
  return { ...(schema as Record<string, Json>), title: 'pgbaton.yml' };
}

/** `properties.restapi.properties.listen` is `restapi.listen`. */
function settingPath(path: readonly PropertyKey[]): string {
  return path
    .filter((_step, position) => position % 2 === 1)
    .map(String)
    .join('.');
}
