// The agent with its command line as one file, the guardian as another: it is a program of its own,
// and stays small because nothing of the agent is in it.
import { build } from 'esbuild';
import { join } from 'node:path';
import { repository } from '../demo/prepare.mjs';

/** Some dependencies are CommonJS, and ask for Node's own modules in its way. */
const REQUIRE =
  "import { createRequire as createRequireOfBundle } from 'node:module';" +
  'const require = createRequireOfBundle(import.meta.url);';

/** Names stay as they are: a stack trace in a log has to be read by people. */
const OPTIONS = {
  absWorkingDir: repository,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
};

/** Answers the files that went into the bundles, by their path in the repository. */
export async function bundle(target) {
  const built = await Promise.all([
    build({
      ...OPTIONS,
      entryPoints: ['src/cli.ts'],
      outfile: join(target, 'cli.js'),
      banner: { js: REQUIRE },
    }),
    build({
      ...OPTIONS,
      entryPoints: ['src/guardian/main.ts'],
      outfile: join(target, 'guardian/main.js'),
    }),
  ]);
  return built.flatMap(({ metafile }) => Object.keys(metafile.inputs));
}
