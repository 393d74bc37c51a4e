// `npm run sim`: compiles the simulator when it has changed, and runs it.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile } from './run-compile.mjs';

let build;
try {
  const withMutants = process.argv.some((argument) => argument.startsWith('--mutants'));
  build = compile({ withMutants });
} catch (error) {
  console.error(`Error: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(2);
}
const { main } = await import(pathToFileURL(join(build, 'test/sim/run-main.js')).href);
process.exit(await main(process.argv.slice(2), build));
