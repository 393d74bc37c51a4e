import { valueOf } from '../core/cluster.ts';
import type { ClusterRecord } from '../core/cluster.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { lagMegabytes, memberTree, memberViews, positionText, roleTitle } from './members.ts';
import type { MemberView } from './members.ts';
import { formatRows, toFlowYaml, toYaml } from './output.ts';
import type { Cell, Format } from './output.ts';
import type { Paint } from './paint.ts';
import { synchronousWarning } from './synchronous.ts';
import { renderTable } from './table.ts';
import type { Column } from './table.ts';
import { wrapText } from './text-width.ts';

export interface ListingOptions {
  readonly format: Format;
  /** Indented by who replicates from whom; only for people. */
  readonly topology: boolean;
  /** All columns, also those in which nobody has anything. */
  readonly extended: boolean;
  /** Cells of the terminal; undefined: not a terminal. */
  readonly columns: number | undefined;
  readonly paint: Paint;
}

const LONGEST_SHOWN_REASON = 50;

interface ColumnSource extends Column {
  /** Shown only when a member has it, or with --extended. */
  readonly optional?: true;
  /** Title in tables for people, where the two lags stand beside their positions. */
  readonly prettyTitle?: string;
}

const COLUMNS: readonly ColumnSource[] = [
  { title: 'Cluster' },
  { title: 'Member' },
  { title: 'Host', dropRank: 4 },
  { title: 'Role' },
  { title: 'State' },
  { title: 'TL', align: 'right', dropRank: 3 },
  { title: 'Receive LSN', align: 'right', dropRank: 6 },
  { title: 'Receive Lag', align: 'right', dropRank: 2, prettyTitle: 'Lag' },
  { title: 'Replay LSN', align: 'right', dropRank: 6 },
  { title: 'Replay Lag', align: 'right', prettyTitle: 'Lag' },
  { title: 'Pending restart', optional: true },
  { title: 'Pending restart reason', optional: true, dropRank: 8 },
  { title: 'Scheduled restart', optional: true, dropRank: 7 },
  { title: 'Tags', optional: true, dropRank: 5 },
];

const isChange = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const scalar = (value: Json | undefined): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '');

/** `max_connections: 100->200`, a line for each parameter. */
function restartReasons(member: MemberView, hideLong: boolean): string {
  const lines = Object.entries(member.pendingRestartReason).map(([name, change]) => {
    const text = isChange(change)
      ? `${name}: ${scalar(change['old_value'])}->${scalar(change['new_value'])}`
      : `${name}: ${scalar(change)}`;
    return hideLong && text.length > LONGEST_SHOWN_REASON ? `${name}: [hidden - too long]` : text;
  });
  return lines.join('\n');
}

/** `host:port` when a port is not the usual one, or two members share a host. */
function hostText(member: MemberView, members: readonly MemberView[]): string {
  if (member.host === undefined) return '';
  const hosts = members.flatMap((other) => (other.host === undefined ? [] : [other.host]));
  const unusual = members.some((other) => other.port !== undefined && other.port !== 5432);
  const repeated = new Set(hosts).size < hosts.length;
  if (member.port === undefined || !(unusual || repeated)) return member.host;
  const host = member.host.includes(':') ? `[${member.host}]` : member.host;
  return `${host}:${member.port}`;
}

function tagsText(tags: JsonObject, options: ListingOptions): Cell {
  if (Object.keys(tags).length === 0) return '';
  if (options.format !== 'pretty') return tags;
  return options.topology ? toFlowYaml(tags) : toYaml(tags).trimEnd();
}

function cellsOf(
  scope: string,
  member: MemberView,
  members: readonly MemberView[],
  options: ListingOptions,
): Readonly<Record<string, Cell>> {
  return {
    Cluster: scope,
    Member: member.name,
    Host: hostText(member, members),
    Role: roleTitle(member.role),
    State: member.state,
    TL: member.timeline ?? '',
    'Receive LSN': positionText(member.received),
    'Receive Lag': lagMegabytes(member.received),
    'Replay LSN': positionText(member.replayed),
    'Replay Lag': lagMegabytes(member.replayed),
    'Pending restart': member.pendingRestart ? '*' : '',
    'Pending restart reason': restartReasons(member, options.format === 'pretty'),
    'Scheduled restart': '',
    Tags: tagsText(member.tags, options),
  };
}

interface Listing {
  readonly columns: readonly ColumnSource[];
  readonly rows: readonly (readonly Cell[])[];
}

function listing(scope: string, record: ClusterRecord, options: ListingOptions): Listing {
  const members = memberViews(record);
  const ordered = options.topology
    ? memberTree(members)
    : members.map((member) => ({ member, depth: 0 }));
  const cells = ordered.map(({ member, depth }) => {
    const row = cellsOf(scope, member, members, options);
    if (depth === 0 || options.format !== 'pretty') return row;
    return { ...row, Member: `${'  '.repeat(depth - 1)}+ ${member.name}` };
  });
  const columns = COLUMNS.filter(
    ({ title, optional }) =>
      optional !== true || options.extended || cells.some((row) => row[title] !== ''),
  );
  return { columns, rows: cells.map((row) => columns.map(({ title }) => row[title])) };
}

/** Rows of several clusters for programs: one document, with the columns of all. */
export function listForPrograms(
  clusters: readonly { readonly scope: string; readonly record: ClusterRecord }[],
  options: ListingOptions & { readonly format: Exclude<Format, 'pretty'> },
): string {
  const listings = clusters.map(({ scope, record }) => listing(scope, record, options));
  const columns = COLUMNS.filter((column) =>
    column.optional === true ? listings.some((each) => each.columns.includes(column)) : true,
  );
  const rows = listings.flatMap((each) =>
    each.rows.map((row) =>
      columns.map((column) => {
        const index = each.columns.indexOf(column);
        return index === -1 ? '' : row[index];
      }),
    ),
  );
  return formatRows(
    options.format,
    columns.map(({ title }) => title),
    rows,
  );
}

const BAD_STATE = /fail|crash|stopp|unknown/;

function paintCell(paint: Paint, title: string, text: string): string {
  const value = text.trim();
  if (title === 'Role') return /Leader/.test(value) ? paint.green(text) : text;
  if (title === 'State') {
    if (BAD_STATE.test(value)) return paint.red(text);
    return value === 'running' || value === 'streaming' ? text : paint.yellow(text);
  }
  if (title === 'Lag' && (value === 'unknown' || Number(value) > 0)) return paint.yellow(text);
  return title === 'Pending restart' ? paint.yellow(text) : text;
}

function clusterTitle(scope: string, record: ClusterRecord): string {
  const { initialize } = record;
  if (initialize.kind === 'absent') return ` Cluster: ${scope} (uninitialized) `;
  if (initialize.kind === 'garbled') return ` Cluster: ${scope} (unreadable) `;
  return ` Cluster: ${scope} (${initialize.value === '' ? 'initializing' : initialize.value}) `;
}

/** What stands below the table: maintenance mode, a scheduled switchover, what is missing. */
function footer(record: ClusterRecord, paint: Paint): string[] {
  const lines: string[] = [];
  if (valueOf(record.config)?.['pause'] === true) lines.push(' Maintenance mode: on');
  const request = valueOf(record.failover);
  if (request?.scheduledAt !== undefined) {
    lines.push(` Switchover scheduled at: ${request.scheduledAt}`);
    if (request.leader !== undefined) lines.push(`${'from'.padStart(24)}: ${request.leader}`);
    if (request.candidate !== undefined) lines.push(`${'to'.padStart(24)}: ${request.candidate}`);
    lines.push(paint.yellow(' An agent of Patroni carries it out, and none of pgbaton.'));
  }
  const warning = synchronousWarning(record);
  if (warning !== undefined) lines.push(paint.yellow(` ${warning}`));
  if (record.leader.kind === 'absent' && record.members.length > 0) {
    lines.push(paint.yellow(' No leader: "pgbaton explain" tells why.'));
  }
  return lines;
}

/** One cluster as a table for people, with its footer; ends with a line end. */
export function listForPeople(
  scope: string,
  record: ClusterRecord,
  options: ListingOptions,
): string {
  const { columns, rows } = listing(scope, record, options);
  const shown = columns.slice(1);
  const cells = rows.map((row) => row.slice(1).map(String));
  const { paint } = options;
  const table = renderTable(
    shown.map(({ title, prettyTitle, ...column }) => ({ ...column, title: prettyTitle ?? title })),
    cells,
    {
      title: clusterTitle(scope, record),
      columns: options.columns,
      paintTitle: paint.bold,
      paintCell: (text, _row, title) => paintCell(paint, title, text),
    },
  );
  const hidden = table.hidden.map((index) => shown[index]?.title ?? '').join(', ');
  const note = hidden === '' ? '' : `Not shown in this narrow terminal: ${hidden}`;
  const noteLines = note === '' ? [] : wrapText(note, (options.columns ?? 80) - 1);
  const notes = noteLines.map((line) => paint.dim(` ${line}`));
  return [...table.lines, ...footer(record, paint), ...notes].map((line) => `${line}\n`).join('');
}
