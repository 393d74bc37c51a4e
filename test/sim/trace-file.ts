import { appendFileSync, writeFileSync } from 'node:fs';

/** With SIM_TRACE=<path> every line of the trace goes there. */
export function traceFile(): ((line: string) => void) | undefined {
  const path = process.env['SIM_TRACE'];
  if (path === undefined || path === '') return undefined;
  writeFileSync(path, '');
  let pending: string[] = [];
  process.once('exit', () => {
    appendFileSync(path, pending.join(''));
  });
  return (line) => {
    pending.push(`${line}\n`);
    if (pending.length < 20) return;
    appendFileSync(path, pending.join(''));
    pending = [];
  };
}
