import { Option } from 'commander';
import type { Result } from '../../core/result.ts';
import type { CommandContext } from '../context.ts';
import { findMember, resolveCluster } from '../lookup.ts';
import type { FoundCluster } from '../lookup.ts';
import { ROLE_FILTERS, matchesRole } from '../members.ts';
import type { MemberView, RoleFilter } from '../members.ts';
import { done, failed } from '../outcome.ts';
import type { CliFailure, Outcome } from '../outcome.ts';
import { formatRows } from '../output.ts';
import { examples } from '../runner.ts';
import type { Register } from '../runner.ts';

/** What libpq takes where an address has none. */
const USUAL_PORT = 5432;

interface DsnOptions {
  readonly role?: RoleFilter;
  readonly member?: string;
}

const serves = ({ state }: MemberView): boolean => state === 'running' || state === 'streaming';

function choose(cluster: FoundCluster, options: DsnOptions): Result<MemberView, CliFailure> {
  if (options.member !== undefined) return findMember(cluster, options.member);
  const role = options.role ?? 'leader';
  const fitting = cluster.members.filter((member) => matchesRole(member, role));
  const member = fitting.find(serves) ?? fitting[0];
  if (member !== undefined) return { ok: true, value: member };
  return failed(
    'unreachable',
    `No member of cluster ${cluster.scope} is a ${role} now.`,
    'See "pgbaton list".',
  );
}

async function dsn(
  context: CommandContext,
  named: string | undefined,
  options: DsnOptions,
): Promise<Outcome> {
  if (options.role !== undefined && options.member !== undefined) {
    return failed('usage', 'A role and a member are both given.', 'Give --role or --member.');
  }
  const cluster = await resolveCluster(context, named);
  if (!cluster.ok) return cluster;
  const member = choose(cluster.value, options);
  if (!member.ok) return member;
  const { name, host, port = USUAL_PORT } = member.value;
  if (host === undefined) {
    return failed(
      'unreachable',
      `${name} publishes no address of its Postgres.`,
      'Check postgresql.connect_address of that member.',
    );
  }
  const { format, terminal } = context;
  if (format === 'pretty') terminal.out(`host=${host} port=${port}\n`);
  else {
    const columns = ['Cluster', 'Member', 'Host', 'Port'];
    terminal.out(formatRows(format, columns, [[cluster.value.scope, name, host, port]]));
  }
  return done;
}

export const registerDsn: Register = (program, runner) => {
  const command = program
    .command('dsn')
    .description('address of a member as psql takes it; by default of the leader')
    .argument('[cluster]', 'name of the cluster; default: scope of the configuration')
    .addOption(new Option('-r, --role <role>', 'of a member with this role').choices(ROLE_FILTERS))
    .option('-m, --member <member>', 'of this member')
    .addHelpText(
      'after',
      examples('pgbaton dsn', 'psql "$(pgbaton dsn batman -r replica) user=app dbname=app"'),
    )
    .action((named: string | undefined, options: DsnOptions) =>
      runner.withContext(command, (context) => dsn(context, named, options)),
    );
};
