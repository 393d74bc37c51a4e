import type { TestProject } from 'vitest/node';
import { findEngine } from './engine.ts';
import { provideImages } from './images.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Undefined: there is none, and whoever looks at the output was told. */
    readonly engine:
      { readonly host: string; readonly compose: 'standalone' | 'plugin' } | undefined;
  }
}

const report = (line: string): void => {
  console.log(`- ${line.replace(/^- /, '')}`);
};

/** One engine for all files of the project. CI has to know when there is none, anybody else is told. */
export default async function setup(project: TestProject): Promise<() => void> {
  const engine = await findEngine(report);
  if (!engine.ok) {
    const why = `${engine.error.message}${engine.error.remedy === undefined ? '' : `; ${engine.error.remedy}`}`;
    if (process.env['CI'] === 'true') throw new Error(`containers cannot be tried: ${why}`);
    console.warn(`NOT RUN: containers: ${why}`);
    project.provide('engine', undefined);
    return () => undefined;
  }
  const { host, compose, close } = engine.value;
  const provided = await provideImages(host, report);
  if (!provided.ok) {
    close();
    throw new Error(provided.error.message);
  }
  project.provide('engine', { host, compose });
  return close;
}
