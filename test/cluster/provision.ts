import { existsSync } from 'node:fs';
import { debianCodename, installPackages } from '../../src/demo/debian.ts';
import { libfaketime } from './faults/machine.ts';
import { hasProgram, PROGRAMS } from './namespaces.ts';

/**
 * Fetches what hosts in namespaces are made of, where that needs no question: as root, on Debian.
 * Whatever is missing afterwards is told by whoever cannot go on without it.
 */
export async function provisionHosts(report: (line: string) => void): Promise<void> {
  if (debianCodename() === undefined || process.getuid?.() !== 0) return;
  const missing: string[] = PROGRAMS.filter(({ program, args }) => !hasProgram(program, args)).map(
    ({ packageName }) => packageName,
  );
  if (!existsSync(libfaketime())) missing.push('libfaketime');
  const packages = [...new Set(missing)];
  if (packages.length === 0) return;
  report(`not on this machine yet: ${packages.join(', ')}`);
  const installed = await installPackages(packages, report);
  if (!installed.ok) report(`${installed.error.message}; ${installed.error.remedy ?? ''}`);
}
