import type { CommandContext } from './context.ts';
import { listForPeople } from './listing.ts';
import type { FoundCluster } from './lookup.ts';

/** The table that stands before and after an action; nothing when a program reads. */
export function showTopology(context: CommandContext, { scope, record }: FoundCluster): void {
  const { format, paint, terminal } = context;
  if (format !== 'pretty') return;
  const columns = terminal.size()?.columns;
  terminal.out(
    listForPeople(scope, record, { format, topology: false, extended: false, columns, paint }),
  );
}
