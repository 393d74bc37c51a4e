import type { Json, JsonObject } from '../core/json.ts';

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
  tb: 1024 ** 4,
};

/** `1048576`, `16kB`, `10MB`, `1.5GB`; undefined when it is no size. */
export function parseSizeBytes(text: string): bigint | undefined {
  const match = /^\s*(\d{1,15}(?:\.\d{1,15})?)\s*([a-z]{0,2})\s*$/i.exec(text);
  const unit = UNIT_BYTES[(match?.[2] ?? '-').toLowerCase()];
  if (match === null || unit === undefined) return undefined;
  return BigInt(Math.round(Number(match[1]) * unit));
}

/** A tag as Patroni compares it: text as it is, all else as Python prints it, in lower case. */
function tagText(value: Json): string {
  if (typeof value === 'string') return value;
  return value === null ? 'none' : JSON.stringify(value).toLowerCase();
}

/** Whether every `tag_<key>=<value>` of the query equals the member's tag of that name. */
export function tagsMatch(query: ReadonlyMap<string, string>, tags: JsonObject): boolean {
  for (const [parameter, wanted] of query) {
    if (!parameter.startsWith('tag_')) continue;
    const key = parameter.slice('tag_'.length);
    const tag = Object.hasOwn(tags, key) ? tags[key] : undefined;
    if (tag === undefined || tagText(tag) !== wanted) return false;
  }
  return true;
}
