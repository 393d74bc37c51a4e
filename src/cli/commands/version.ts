import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatVersion } from '../../core/postgres.ts';
import { statusDocument } from '../../wire/rest/status.ts';
import type { StatusDocument } from '../../wire/rest/status.ts';
import type { CommandContext } from '../context.ts';
import { chosenFormat } from '../context.ts';
import { exitCode } from '../exit-codes.ts';
import { filterByRole, resolveMembers } from '../lookup.ts';
import { readFromMember } from '../member-read.ts';
import { done } from '../outcome.ts';
import type { Outcome } from '../outcome.ts';
import { formatRows } from '../output.ts';
import { examples } from '../runner.ts';
import type { Register } from '../runner.ts';

/** Version of this program, from the nearest package.json above it, wherever it was built or bundled to. */
export function ownVersion(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder))
    folder = dirname(folder);
  const parsed: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const isPackage = typeof parsed === 'object' && parsed !== null && 'version' in parsed;
  return isPackage ? String(parsed.version) : 'unknown';
}

const serverOf = ({ server_version: number }: StatusDocument): string =>
  number === undefined ? 'unknown' : formatVersion(number);

const agentOf = (status: StatusDocument): string =>
  `${status.pgbaton === undefined ? 'Patroni' : 'pgbaton'} ${status.patroni.version}`;

async function memberVersions(context: CommandContext, words: readonly string[]): Promise<Outcome> {
  const selection = await resolveMembers(context, words);
  if (!selection.ok) return selection;
  const members = filterByRole(selection.value, 'any');
  if (!members.ok) return members;
  const answers = await Promise.all(
    members.value.map(async (member) => ({
      member,
      status: await readFromMember(context, member, '/patroni', statusDocument),
    })),
  );
  const { terminal, format, paint } = context;
  const columns = ['Cluster', 'Member', 'Agent', 'PostgreSQL'];
  const rows = answers.map(({ member, status }) => {
    const agent = status.ok ? agentOf(status.value) : '';
    const server = status.ok ? serverOf(status.value) : '';
    return [selection.value.scope, member.name, agent, server];
  });
  if (format === 'pretty') terminal.out(`pgbaton version ${ownVersion()}\n\n`);
  else terminal.out(formatRows(format, columns, rows));
  for (const { member, status } of answers) {
    if (!status.ok) terminal.err(`${paint.red('Failed')}: ${member.name}: ${status.error}\n`);
    else if (format === 'pretty') {
      const server = serverOf(status.value);
      terminal.out(`${member.name}: ${agentOf(status.value)} PostgreSQL ${server}\n`);
    }
  }
  const missing = answers.filter(({ status }) => !status.ok).length;
  if (missing === 0) return done;
  return {
    ok: false,
    error: {
      exitCode: exitCode('unreachable'),
      message: `${missing} of ${answers.length} members did not tell their version.`,
      hint: 'Check that their agents run and that their REST addresses are reachable from here.',
    },
  };
}

export const registerVersion: Register = (program, runner) => {
  const command = program
    .command('version')
    .description('version of this program, or of the members of a cluster')
    .argument('[names...]', 'cluster, then members; none: only this program')
    .addHelpText('after', examples('pgbaton version', 'pgbaton version batman'))
    .action((words: readonly string[]) => {
      if (words.length > 0) {
        return runner.withContext(command, (context) => memberVersions(context, words));
      }
      return runner.plain(command, (options) => {
        const format = chosenFormat(options);
        if (!format.ok) return Promise.resolve(format);
        const version = ownVersion();
        runner.terminal.out(
          format.value === 'pretty'
            ? `pgbaton version ${version}\n`
            : formatRows(format.value, ['Version'], [[version]]),
        );
        return Promise.resolve(done);
      });
    });
};
