import { valueOf } from '../../core/cluster.ts';
import type { CommandContext } from '../context.ts';
import { resolveCluster } from '../lookup.ts';
import { done, failed } from '../outcome.ts';
import type { Outcome } from '../outcome.ts';
import { formatRows } from '../output.ts';
import { examples } from '../runner.ts';
import type { Register } from '../runner.ts';
import { renderTable } from '../table.ts';
import type { Column } from '../table.ts';

const COLUMNS: readonly Column[] = [
  { title: 'TL', align: 'right' },
  { title: 'LSN', align: 'right' },
  { title: 'Reason' },
  { title: 'Timestamp' },
  { title: 'New Leader' },
];

async function history(context: CommandContext, named: string | undefined): Promise<Outcome> {
  const cluster = await resolveCluster(context, named);
  if (!cluster.ok) return cluster;
  const slot = cluster.value.record.history;
  if (slot.kind === 'garbled') {
    return failed(
      'refused',
      `The history of ${cluster.value.scope} cannot be read: ${slot.reason}`,
      'The leader writes it anew with the next promotion.',
    );
  }
  const rows = (valueOf(slot) ?? []).map((entry) => [
    entry.timeline,
    // An integer of bytes, as patronictl prints it.
    entry.lsn,
    entry.reason,
    entry.timestamp ?? '',
    entry.leader ?? '',
  ]);
  const { format, terminal, paint } = context;
  if (format === 'pretty') {
    const table = renderTable(
      COLUMNS,
      rows.map((row) => row.map(String)),
      { columns: terminal.size()?.columns, paintTitle: paint.bold },
    );
    terminal.out(`${table.lines.join('\n')}\n`);
  } else {
    const titles = COLUMNS.map(({ title }) => title);
    terminal.out(formatRows(format, titles, rows));
  }
  return done;
}

export const registerHistory: Register = (program, runner) => {
  const command = program
    .command('history')
    .description('promotions: timeline, where it began, why, when, who')
    .argument('[cluster]', 'name of the cluster; default: scope of the configuration')
    .addHelpText('after', examples('pgbaton history', 'pgbaton history batman --format tsv'))
    .action((named: string | undefined) =>
      runner.withContext(command, (context) => history(context, named)),
    );
};
