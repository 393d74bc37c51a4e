import type { Origin } from './problem.ts';

/** A mapping as it was written, before any check. */
export interface RawTree {
  readonly [key: string]: unknown;
}

export type Path = readonly PropertyKey[];

/** Where each key of a tree was written. */
export class Origins {
  readonly #byPath: Map<string, Origin>;
  readonly #root: Path;

  constructor(byPath = new Map<string, Origin>(), root: Path = []) {
    this.#byPath = byPath;
    this.#root = root;
  }

  /** The same places, for a tree that stands at `path` of this one. */
  within(path: Path): Origins {
    return new Origins(this.#byPath, [...this.#root, ...path]);
  }

  set(path: Path, origin: Origin): void {
    this.#byPath.set(pathKey([...this.#root, ...path]), origin);
  }

  /** The place of the key itself, or of the nearest one around it. */
  find(path: Path): Origin | undefined {
    const whole = [...this.#root, ...path];
    for (let length = whole.length; length >= 0; length -= 1) {
      const origin = this.#byPath.get(pathKey(whole.slice(0, length)));
      if (origin !== undefined) return origin;
    }
    return undefined;
  }

  /** The key with dots, counted from the whole document. */
  name(path: Path): string {
    return dotted([...this.#root, ...path]);
  }

  /** Takes over all places of a layer that lies above. */
  addAll(above: Origins): void {
    for (const [key, origin] of above.#byPath) this.#byPath.set(key, origin);
  }
}

/** One source of settings: a file, the environment. */
export interface Layer {
  readonly tree: RawTree;
  readonly origins: Origins;
}

export const isTree = (value: unknown): value is RawTree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Mappings are merged key by key, everything else is replaced by the layer above. */
export function mergeTrees(below: RawTree, above: RawTree): RawTree {
  const entries = new Map<string, unknown>(Object.entries(below));
  for (const [key, value] of Object.entries(above)) {
    const former = entries.get(key);
    entries.set(key, isTree(former) && isTree(value) ? mergeTrees(former, value) : value);
  }
  return Object.fromEntries(entries);
}

/** Merges layers, later ones over earlier ones. */
export function mergeLayers(layers: readonly Layer[]): Layer {
  const origins = new Origins();
  for (const layer of layers) origins.addAll(layer.origins);
  return {
    tree: layers.reduce<RawTree>((below, { tree }) => mergeTrees(below, tree), {}),
    origins,
  };
}

/** The value at a path; undefined when there is none. */
export function valueAt(tree: unknown, path: Path): unknown {
  let value = tree;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step))
      return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

/** A copy without the key (or list element) at the path. */
export function without(tree: RawTree, path: Path): RawTree {
  const [step, ...rest] = path;
  if (step === undefined) return tree;
  const inner = tree[String(step)];
  const entries = Object.entries(tree).filter(([key]) => key !== String(step));
  if (rest.length === 0 || !isTree(inner)) return Object.fromEntries(entries);
  return Object.fromEntries([...entries, [String(step), without(inner, rest)]]);
}

export const dotted = (path: Path): string => path.map(String).join('.');

const pathKey = (path: Path): string => JSON.stringify(path.map(String));
