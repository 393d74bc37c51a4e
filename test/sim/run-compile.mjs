// Compiles what the simulator runs, so that plain node can: the imports are native, and a run is fast.
// Plain JavaScript, because it is what compiles the TypeScript.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';

/** Part of every key: raise it when what is made of the same source changes. */
const FORMAT = 1;
const ENTRIES = ['test/sim/run-main.ts', 'test/sim/run-worker.ts'];
/** Only with `withMutants`: it brings all deliberate bugs along. */
const MUTANTS_ENTRY = 'test/sim/mutants.ts';
const UNUSED_AFTER_MILLIS = 24 * 3_600_000;
/** What an import loads at run time; types alone load nothing. */
const LOADS = [
  /^(?:import|export)\s+(?!type\b)[^;']*?from\s+'(\.[^']+)'/gm,
  /^import\s+'(\.[^']+)'/gm,
  /\bimport\(\s*'(\.[^']+)'/g,
];

/** The repository that a file is in, whether it is the source or a compiled copy of it. */
export function repositoryOf(file) {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) throw new Error(`${file} is in no repository`);
  }
}

const hashOf = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 32);
};

/** Every source file that the entries load, by its path in the repository. */
function sourcesOf(root, entries, mutations, withMutants) {
  const found = new Map();
  const visit = (path) => {
    if (found.has(path)) return;
    const source = readFileSync(join(root, path), 'utf8');
    const text = mutations.filter(({ file }) => file === path).reduce(mutated, source);
    found.set(path, text);
    for (const pattern of LOADS) {
      for (const [, target] of text.matchAll(pattern)) {
        visit(
          relative(root, resolve(root, dirname(path), target))
            .split(sep)
            .join('/'),
        );
      }
    }
  };
  for (const entry of entries) visit(entry);
  if (withMutants && existsSync(join(root, MUTANTS_ENTRY))) visit(MUTANTS_ENTRY);
  for (const { file } of mutations)
    if (!found.has(file)) throw new Error(`${file} is not part of what the simulator runs`);
  return found;
}

function mutated(source, { file, find, replace }) {
  const times = source.split(find).length - 1;
  if (find === '' || times !== 1)
    throw new Error(`${file}: the text to replace occurs ${times} times, not once: ${find}`);
  return source.replace(find, () => replace);
}

/** Written beside its place and moved there, so that nobody ever sees half of it. */
function writeWhole(path, text) {
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, text);
  renameSync(fresh, path);
}

function transpile(typescript, path, text) {
  const { ModuleKind, ScriptTarget } = typescript;
  const { outputText, diagnostics = [] } = typescript.transpileModule(text, {
    fileName: path,
    reportDiagnostics: true,
    compilerOptions: {
      target: ScriptTarget.ES2023,
      module: ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  });
  const [first] = diagnostics;
  if (first === undefined) return outputText;
  const line = first.file?.getLineAndCharacterOfPosition(first.start ?? 0).line ?? 0;
  const said = typescript.flattenDiagnosticMessageText(first.messageText, '\n');
  throw new Error(`${path}:${line + 1}: ${said}`);
}

function linkOrCopy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

/** What nobody has used for a day. */
function prune(folder, now) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    try {
      const { mtimeMs, nlink } = statSync(path);
      const inUse = name.endsWith('.js') && nlink > 1;
      if (!inUse && now - mtimeMs > UNUSED_AFTER_MILLIS)
        rmSync(path, { recursive: true, force: true });
    } catch (error) {
      if (error?.code !== 'ENOENT') throw error;
    }
  }
}

/**
 * Compiles the simulator and the agent to JavaScript and answers the folder, which mirrors the
 * repository and never changes again: its name is what is in it. Only files that nobody has compiled
 * before are compiled; all others are linked. Several may compile at once.
 *
 * `entries` are what is to be run, if it is not the simulator. `mutation` is one or several, each of which replaces one text in one source file; it throws unless
 * the text occurs exactly once.
 */
export function compile({ root, entries = ENTRIES, mutation = [], withMutants = false } = {}) {
  const repository = root ?? repositoryOf(new URL(import.meta.url).pathname);
  const cache = join(repository, '.cache/sim-build');
  const objects = join(cache, 'objects');
  const trees = join(cache, 'trees');
  for (const folder of [objects, trees]) mkdirSync(folder, { recursive: true });
  const require = createRequire(join(repository, 'package.json'));
  const { version } = require('typescript/package.json');
  const sources = sourcesOf(repository, entries, [mutation].flat(), withMutants);
  let typescript;
  const files = [...sources].map(([path, text]) => {
    if (!path.endsWith('.ts')) {
      const object = join(objects, `${hashOf(text)}.js`);
      if (!existsSync(object)) writeWhole(object, text);
      return { path, object };
    }
    const object = join(objects, `${hashOf(`${FORMAT}`, version, text)}.js`);
    if (!existsSync(object)) {
      typescript ??= require('typescript');
      writeWhole(object, transpile(typescript, path, text));
    }
    return { path: path.replace(/\.ts$/, '.js'), object };
  });
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  const tree = join(trees, hashOf(...files.flatMap(({ path, object }) => [path, object])));
  const now = Date.now();
  if (existsSync(tree)) {
    utimesSync(tree, now / 1000, now / 1000);
    return tree;
  }
  const fresh = `${tree}.${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  for (const { path, object } of files) linkOrCopy(object, join(fresh, path));
  try {
    renameSync(fresh, tree);
  } catch (error) {
    // Somebody else was faster; what they made is the same.
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(tree)) throw error;
  }
  prune(trees, now);
  prune(objects, now);
  return tree;
}
