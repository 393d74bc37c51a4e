// `npm run demo` and `npm run bench`: from a fresh clone to the running demo.
import { prepare } from './prepare.mjs';

try {
  prepare();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
await import(new URL('../../dist/demo/main.js', import.meta.url).href);
