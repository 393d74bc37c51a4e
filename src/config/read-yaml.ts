import { LineCounter, isMap, isPair, isScalar, isSeq, parseDocument, visit } from 'yaml';
import type { Document, ErrorCode, Node, Tags } from 'yaml';
import { Origins, isTree } from './layer.ts';
import type { Layer, Path } from './layer.ts';
import type { ConfigProblem, Origin } from './problem.ts';

/*
 * YAML as Patroni reads it: version 1.1, where on, off, yes and no are booleans and 0644 is octal.
 * Left out of 1.1 is what nobody means in a configuration: times (1:30 is 90 there) and binaries. A
 * number with an exponent has a point and a sign (1.5e+3) with Patroni's reader; e1 and 1e5 are names.
 */
const OPTIONS = {
  version: '1.1',
  // The library's own messages quote the source, and the source holds passwords.
  prettyErrors: false,
  intAsBigInt: true,
  merge: true,
  logLevel: 'error',
  customTags: (tags: Tags): Tags => tags.filter((tag) => !isUnwanted(tag)).map(strictExponent),
} as const;

const UNWANTED = ['timestamp', 'binary', 'omap', 'pairs', 'set'].map(
  (name) => `tag:yaml.org,2002:${name}`,
);

function isUnwanted(tag: Tags[number]): boolean {
  if (typeof tag === 'string') return false;
  return UNWANTED.includes(tag.tag) || ('format' in tag && tag.format === 'TIME');
}

const EXPONENT = /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)[eE][-+][0-9]+$/;

/** The library's own test takes even a lone e1 for a number, which then is none. */
function strictExponent(tag: Tags[number]): Tags[number] {
  if (typeof tag === 'string' || tag.collection !== undefined || tag.format !== 'EXP') return tag;
  return { ...tag, test: EXPONENT };
}

/** What a syntax error means, in words that quote nothing of the file. */
const SYNTAX: Readonly<Partial<Record<ErrorCode, readonly [message: string, suggestion: string]>>> =
  {
    TAB_AS_INDENT: ['a tab is used for indentation', 'indent with blanks'],
    DUPLICATE_KEY: ['this key stands twice in the same mapping', 'remove one of the two'],
    BAD_INDENT: [
      'this line is not indented like its neighbours, or a bracket before it is still open',
      'align it with the lines around it, or close the bracket',
    ],
    MISSING_CHAR: [
      'a quote, bracket, comma or colon is missing',
      'close what was opened before here',
    ],
    BAD_SCALAR_START: ['a plain value cannot begin with this character', 'put the value in quotes'],
    BLOCK_AS_IMPLICIT_KEY: [
      'a mapping or list cannot stand here',
      'put a value with ": " in quotes',
    ],
    BLOCK_IN_FLOW: ['an indented block cannot stand within brackets', 'write it with brackets'],
    MULTILINE_IMPLICIT_KEY: ['a key goes over several lines', 'put ":" after the key, on one line'],
    MULTIPLE_DOCS: ['the file holds several documents', 'keep one; remove the "---" within'],
    BAD_ALIAS: ['this alias has no anchor before it', 'put a value that begins with "*" in quotes'],
    BAD_DQ_ESCAPE: [
      'unknown escape within double quotes',
      'use single quotes, or double the backslash',
    ],
    TAG_RESOLVE_FAILED: ['unknown tag', 'put a value that begins with "!" in quotes'],
    UNEXPECTED_TOKEN: ['this cannot stand here', 'put the value in quotes'],
  };

/**
 * Reads one document. `name` is the file, or what stands for it, and appears in every problem;
 * `firstLine` is how such a document may begin.
 */
export function readYaml(
  source: string,
  name: string,
  firstLine = 'scope: <name of the cluster>',
): { readonly layer: Layer; readonly problems: readonly ConfigProblem[] } {
  const lineCounter = new LineCounter();
  const document = parseDocument(source, { ...OPTIONS, lineCounter });
  const place = (offset: number): Origin => {
    const { line, col } = lineCounter.linePos(offset);
    return { kind: 'file', file: name, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const origins = new Origins();
  origins.set([], { kind: 'document', name });
  const broken = firstOfEachLine(
    [...document.errors, ...document.warnings].map(({ code, pos }) =>
      syntaxProblem(code, place(pos[0])),
    ),
  );
  if (broken.length > 0) return { layer: { tree: {}, origins }, problems: broken };
  const dangling = danglingAliases(document).map((offset) =>
    syntaxProblem('BAD_ALIAS', place(offset)),
  );
  if (dangling.length > 0) return { layer: { tree: {}, origins }, problems: dangling };
  recordOrigins(document.contents, [], origins, place);
  return { ...toTree(() => document.toJS({ maxAliasCount: 100 }), origins, place(0), firstLine) };
}

/** Reads a value of the environment: a fragment of YAML. Undefined when it is none. */
export function readFragment(source: string): { readonly value: unknown } | undefined {
  const document = parseDocument(source, OPTIONS);
  if (document.errors.length > 0 || document.warnings.length > 0) return undefined;
  try {
    return { value: plain(document.toJS({ maxAliasCount: 0 })) };
  } catch {
    return undefined;
  }
}

function toTree(
  convert: () => unknown,
  origins: Origins,
  start: Origin,
  firstLine: string,
): { readonly layer: Layer; readonly problems: readonly ConfigProblem[] } {
  try {
    const value = plain(convert()) ?? {};
    if (isTree(value)) return { layer: { tree: value, origins }, problems: [] };
  } catch {
    const message = 'aliases of this file refer to too much';
    return {
      layer: { tree: {}, origins },
      problems: [syntax(start, message, 'write the values out')],
    };
  }
  const message = 'expected a mapping of settings, found something else';
  const suggestion = `begin with "${firstLine}"`;
  return { layer: { tree: {}, origins }, problems: [syntax(start, message, suggestion)] };
}

function syntaxProblem(code: ErrorCode, origin: Origin): ConfigProblem {
  const [message, suggestion] = SYNTAX[code] ?? [
    'this is no valid YAML',
    'check quotes and indentation',
  ];
  return syntax(origin, message, suggestion);
}

function syntax(origin: Origin, message: string, suggestion: string): ConfigProblem {
  return { code: 'config-syntax', origin, key: '', message, suggestion };
}

/** One slip makes several errors where it stands; the first names it. */
function firstOfEachLine(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  const lines = new Set<number>();
  return problems.filter(({ origin }) => {
    const line = origin?.kind === 'file' ? origin.line : 0;
    const first = !lines.has(line);
    lines.add(line);
    return first;
  });
}

/** Offsets of aliases without an anchor, which the library finds only while it converts. */
function danglingAliases(document: Document.Parsed): readonly number[] {
  const offsets: number[] = [];
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) === undefined) offsets.push(alias.range?.[0] ?? 0);
    },
  });
  return offsets;
}

function recordOrigins(
  node: unknown,
  path: Path,
  origins: Origins,
  place: (offset: number) => Origin,
): void {
  if (isMap(node)) {
    for (const pair of node.items) {
      if (!isPair(pair) || !isScalar(pair.key)) continue;
      const inner = [...path, String(pair.key.value)];
      const start = (pair.key as Node).range?.[0];
      if (start !== undefined) origins.set(inner, place(start));
      recordOrigins(pair.value, inner, origins, place);
    }
  }
  if (isSeq(node)) {
    node.items.forEach((item, position) => {
      const start = (item as Node).range?.[0];
      if (start !== undefined) origins.set([...path, position], place(start));
      recordOrigins(item, [...path, position], origins, place);
    });
  }
}

/** Whole numbers too long for a number stay as their digits: a password of twenty digits is one. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (Array.isArray(value)) return value.map(plain);
  if (!isTree(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
