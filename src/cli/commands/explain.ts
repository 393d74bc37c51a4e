import type { Result } from '../../core/result.ts';
import { explainDocument } from '../../wire/rest/status.ts';
import type { ExplainDocument } from '../../wire/rest/status.ts';
import type { CommandContext } from '../context.ts';
import { exitCode } from '../exit-codes.ts';
import { filterByRole, resolveMembers } from '../lookup.ts';
import type { Selection } from '../lookup.ts';
import { readFromMember } from '../member-read.ts';
import { roleTitle } from '../members.ts';
import type { MemberView } from '../members.ts';
import { done } from '../outcome.ts';
import type { Outcome } from '../outcome.ts';
import { formatRows } from '../output.ts';
import { examples } from '../runner.ts';
import type { Register } from '../runner.ts';
import { describeSynchronous } from '../synchronous.ts';
import { renderTable } from '../table.ts';
import { printable, wrapText } from '../text-width.ts';

interface Explained {
  readonly member: MemberView;
  readonly answer: Result<ExplainDocument, string>;
}

const PLAIN_WIDTH = 100;
const LABEL_WIDTH = 14;

/** `350 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function durationText(millis: number): string {
  if (millis < 1000) return `${Math.max(0, Math.round(millis))} ms`;
  const seconds = Math.floor(millis / 1000);
  const [days, hours] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24];
  const [minutes, rest] = [Math.floor(seconds / 60) % 60, seconds % 60];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${rest} s` : `${rest} s`;
}

function labelled(label: string, text: string, width: number): string[] {
  const lines = wrapText(printable(text), Math.max(20, width - LABEL_WIDTH));
  return lines.map((line, index) => `${(index === 0 ? label : '').padEnd(LABEL_WIDTH)}${line}`);
}

function memberLines({ member, answer }: Explained, context: CommandContext): string[] {
  const { paint, terminal } = context;
  const width = terminal.size()?.columns ?? PLAIN_WIDTH;
  const head = `${paint.bold(printable(member.name))}  ${roleTitle(member.role)}, ${printable(member.state)}`;
  if (!answer.ok) return [head, ...labelled('  no answer', answer.error, width).map(paint.red)];
  const { rule, rule_name: name, why, waits_for: waitsFor, since_ms: since } = answer.value;
  // Some reasons tell already what is waited for.
  const waits = waitsFor.length === 0 ? ['nothing'] : waitsFor.filter((text) => text !== why);
  return [
    head,
    ...labelled('  rule', `${rule} ${name}, for ${durationText(since)}`, width),
    ...labelled('  why', why, width),
    ...waits.flatMap((text, index) => labelled(index === 0 ? '  waits for' : '', text, width)),
  ];
}

/** Whose view of the candidates is shown: the members that were asked for, else the leader, else all. */
function viewsShown(explained: readonly Explained[], selection: Selection): readonly Explained[] {
  const answered = explained.filter(
    ({ answer }) => answer.ok && answer.value.candidates.length > 0,
  );
  if (selection.named.length > 0) return answered;
  const leader = answered.filter(({ member }) => /leader/.test(member.role));
  return leader.length > 0 ? leader : answered;
}

function candidatesTable(
  { member, answer }: Explained,
  context: CommandContext,
): readonly string[] {
  if (!answer.ok) return [];
  const { paint, terminal } = context;
  const rows = answer.value.candidates.map(({ name, eligible, why, lsn, timeline }) => [
    name,
    eligible ? 'yes' : 'no',
    timeline === null ? '' : String(timeline),
    lsn ?? '',
    why,
  ]);
  return renderTable(
    [
      { title: 'Candidate' },
      { title: 'May lead' },
      { title: 'TL', align: 'right', dropRank: 2 },
      { title: 'LSN', align: 'right', dropRank: 1 },
      { title: 'Why' },
    ],
    rows,
    {
      title: ` Candidates, as ${member.name} sees them `,
      columns: terminal.size()?.columns,
      paintTitle: paint.bold,
      paintCell: (text, _row, title) => {
        if (title !== 'May lead') return text;
        return text.trim() === 'yes' ? paint.green(text) : paint.yellow(text);
      },
    },
  ).lines;
}

function showPeople(
  explained: readonly Explained[],
  selection: Selection,
  context: CommandContext,
): void {
  const synchronous = describeSynchronous(selection.record);
  const width = context.terminal.size()?.columns ?? PLAIN_WIDTH;
  const blocks = [
    ...explained.map((each) => memberLines(each, context)),
    ...(synchronous === undefined ? [] : [labelled('synchronous', synchronous, width)]),
    ...viewsShown(explained, selection).map((each) => candidatesTable(each, context)),
  ];
  context.terminal.out(`${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`);
}

const COLUMNS = [
  'Cluster',
  'Member',
  'Role',
  'State',
  'Rule',
  'Rule name',
  'Why',
  'Waits for',
  'Since ms',
  'Candidates',
  'Error',
];

function programRow(scope: string, { member, answer }: Explained): readonly unknown[] {
  const who = [scope, member.name, roleTitle(member.role), member.state];
  if (!answer.ok) return [...who, '', '', '', '', '', '', answer.error];
  const {
    rule,
    rule_name: name,
    why,
    waits_for: waitsFor,
    since_ms: since,
    candidates,
  } = answer.value;
  return [...who, rule, name, why, waitsFor, Math.round(since), candidates, ''];
}

async function explain(context: CommandContext, words: readonly string[]): Promise<Outcome> {
  const selection = await resolveMembers(context, words);
  if (!selection.ok) return selection;
  const members = filterByRole(selection.value, 'any');
  if (!members.ok) return members;
  const explained = await Promise.all(
    members.value.map(async (member) => ({
      member,
      answer: await readFromMember(context, member, '/explain', explainDocument),
    })),
  );
  const { format, terminal } = context;
  if (format === 'pretty') showPeople(explained, selection.value, context);
  else {
    const rows = explained.map((each) => programRow(selection.value.scope, each));
    terminal.out(formatRows(format, COLUMNS, rows));
  }
  const silent = explained.filter(({ answer }) => !answer.ok).map(({ member }) => member.name);
  if (silent.length === 0) return done;
  return {
    ok: false,
    error: {
      exitCode: exitCode('unreachable'),
      message: `No explanation from ${silent.join(', ')}.`,
      hint: 'Check that the agent runs there and that its REST address is reachable from here.',
    },
  };
}

export const registerExplain: Register = (program, runner) => {
  const command = program
    .command('explain')
    .description('which rule holds each member where it is, what it waits for, and who may lead')
    .argument('[names...]', 'cluster (if the configuration has no scope), then members; none: all')
    .addHelpText(
      'after',
      examples('pgbaton explain', 'pgbaton explain node2', 'pgbaton explain batman --format json'),
    )
    .action((words: readonly string[]) =>
      runner.withContext(command, (context) => explain(context, words)),
    );
};
