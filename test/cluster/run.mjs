// `npm run chaos`: builds the agent and compiles the suite when they have changed, and runs it.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { prepare } from '../../src/demo/prepare.mjs';
import { compile } from '../sim/run-compile.mjs';

const MAIN = 'test/cluster/run-main';

let build;
try {
  prepare();
  build = compile({ entries: [`${MAIN}.ts`] });
} catch (error) {
  console.error(`Error: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(2);
}
const { main } = await import(pathToFileURL(join(build, `${MAIN}.js`)).href);
process.exit(await main(process.argv.slice(2)));
