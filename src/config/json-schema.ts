import { z } from 'zod';
import type { Json, JsonObject } from '../core/json.ts';
import { localConfigSchema } from '../wire/config/local.ts';
import { findSetting } from './reference.ts';

/**
 * The local configuration as JSON Schema, for editors: the keys are those of the loader, descriptions
 * and forms of values those of the reference. The file in config/ is made from it, and a test holds the
 * two together.
 */
export function configJsonSchema(): JsonObject {
  const schema = z.toJSONSchema(localConfigSchema, { io: 'input', reused: 'inline' });
  describeProperties(schema, '');
  return { ...(schema as Record<string, Json>), title: 'pgbaton.yml' };
}

type Schema = z.core.JSONSchema.BaseSchema;

function describeProperties(schema: Schema, section: string): void {
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    // A property that says nothing but yes or no is none of a setting.
    if (typeof property === 'boolean') continue;
    const setting = section === '' ? key : `${section}.${key}`;
    const row = findSetting(setting);
    if (row !== undefined) {
      const initial =
        row.default === '' || row.default === 'required' ? '' : ` (default ${row.default})`;
      property.description = `${row.meaning}; ${row.unit}${initial}`;
    }
    allow(property, row === undefined ? undefined : formsOf(row.unit, property));
    describeProperties(property, setting);
    if (setting === 'postgresql' || setting === 'bootstrap') {
      // Beside settings there are only the options of methods, under the name of each.
      property.additionalProperties = { type: ['object', 'null'] };
    }
  }
}

/** A word in any case: JSON Schema has no other way to say so. */
const inAnyCase = (word: string): string =>
  word.replace(/[a-z]/g, (letter) => `[${letter.toUpperCase()}${letter}]`);

const textLike = (pattern: string): Schema => ({ type: 'string', pattern: `^\\s*${pattern}\\s*$` });

const BOOLEANS = ['true', 'on', 'yes', 't', 'y', 'false', 'off', 'no', 'f', 'n'];

/** What the loader reads as a value of a unit: nothing that it takes may be marked in an editor. */
const FORMS: Readonly<Record<string, readonly Schema[]>> = {
  boolean: [
    { type: 'boolean' },
    { enum: [0, 1] },
    textLike(`(${[...BOOLEANS.map(inAnyCase), '0', '1'].join('|')})`),
  ],
  s: [{ type: 'number', minimum: 0 }, textLike('\\d+(\\.\\d+)?\\s*(us|ms|s|min|h|d)?')],
  bytes: [{ type: 'integer' }, textLike('-?\\d+\\s*([kKmMgGtT]?[bB])?')],
  count: [{ type: 'integer' }, textLike('[+-]?\\d+')],
  port: [{ type: 'integer', minimum: 1, maximum: 65_535 }, textLike('\\+?\\d+')],
};

/** Undefined: the schema itself says it all. */
function formsOf(unit: string, { type }: Schema): readonly Schema[] | undefined {
  const words = unit.split(', ');
  const isChoice =
    type === 'string' && words.length > 1 && words.every((word) => /^[a-z]+$/.test(word));
  // The first is what an editor offers, the second what is right as well.
  if (isChoice) return [{ enum: words }, textLike(`(${words.map(inAnyCase).join('|')})`)];
  return FORMS[unit];
}

/** Any key may stand there without a value, as in files of Patroni: then it is not set. */
function allow(schema: Schema, forms: readonly Schema[] | undefined): void {
  const unset: Schema = { type: 'null' };
  if (forms !== undefined) {
    delete schema.type;
    schema.anyOf = [...forms, unset];
  } else if (schema.anyOf !== undefined) {
    schema.anyOf = [...schema.anyOf, unset];
  } else if (schema.type !== undefined) {
    schema.type = [...[schema.type].flat(), 'null'];
  }
}
