import { dirname } from 'node:path';
import { fail, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { missingTools } from './binaries.ts';
import type { Context } from './context.ts';
import { messageOf } from './thrown.ts';
import { exists, isWritable, makePrivateDirectory } from './durable-files.ts';
import { inspectDataDirectory } from './inspect.ts';

const PACKAGES = {
  postgres: 'the server package',
  initdb: 'the server package',
  pg_controldata: 'the server package',
  pg_rewind: 'the server package (Red Hat: postgresql-server)',
  pg_waldump: 'the server package (Red Hat: postgresql-contrib before version 14)',
  pg_basebackup: 'the client package (Debian: postgresql-client)',
} as const;

async function checkDirectories(context: Context): Promise<Result<void>> {
  const { dataDir } = context.settings();
  await makePrivateDirectory(context.stateDir);
  if (!(await isWritable(context.stateDir))) {
    return fail(
      'postgres-state-directory-not-writable',
      `${context.stateDir} is not writable for the agent`,
      `Give it to the user of the agent: chown ${process.geteuid?.() ?? ''} ${context.stateDir}`,
    );
  }
  const found = await inspectDataDirectory(context);
  if (found.kind === 'unusable') {
    return fail('postgres-data-directory-unusable', found.reason, found.remedy);
  }
  if (found.kind !== 'absent') return ok(undefined);
  const place = (await exists(dataDir)) ? dataDir : await nearestExisting(dirname(dataDir));
  if (await isWritable(place)) return ok(undefined);
  return fail(
    'postgres-data-directory-not-writable',
    `${dataDir} cannot be made: ${place} is not writable for the agent`,
    `Make ${dataDir} and give it to the user of the agent.`,
  );
}

async function nearestExisting(path: string): Promise<string> {
  let current = path;
  while (!(await exists(current)) && current !== dirname(current)) current = dirname(current);
  return current;
}

/** What can be wrong before anything is started, each with what to do about it. */
export async function preflight(
  context: Context,
): Promise<Result<{ readonly serverVersionNumber: number }>> {
  try {
    if (process.geteuid?.() === 0) {
      return fail(
        'postgres-refuses-root',
        'PostgreSQL does not run as root, and so neither does the agent',
        'Run it as the user postgres.',
      );
    }
    const installation = await context.binaries.find();
    if (!installation.ok) return installation;
    const missing = await missingTools(installation.value);
    if (missing.length > 0) {
      const packages = [...new Set(missing.map((tool) => PACKAGES[tool]))];
      return fail(
        'postgres-binary-missing',
        `${missing.join(', ')} not found in ${installation.value.directory}`,
        `Install ${packages.join(' and ')} of version ${installation.value.majorVersion}.`,
      );
    }
    const directories = await checkDirectories(context);
    if (!directories.ok) return directories;
    return ok({ serverVersionNumber: installation.value.versionNumber });
  } catch (error) {
    return fail('postgres-preflight-failed', messageOf(error), 'Check the paths and permissions.');
  }
}
