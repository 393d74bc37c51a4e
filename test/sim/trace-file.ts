import { appendFileSync, writeFileSync } from 'node:fs';

/** With SIM_TRACE=<path> every line of the trace goes there. */
export function traceFile(): ((line: string) => void) | undefined {
  const path = process.env['SIM_TRACE'];
  if (path === undefined || path === '') return undefined;
  writeFileSync(path, '');
  return (line) => {
    appendFileSync(path, `${line}\n`);
  };
}
