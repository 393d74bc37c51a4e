import { readFileSync } from 'node:fs';
import type { DemoMember } from '../../src/demo/member.ts';

/** One line that an agent logged; `msg` and `level` in every one, the rest by event. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

const EVIDENCE_LINES = 40;

function parse(line: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'msg' in value
      ? (value as LogLine)
      : undefined;
  } catch {
    return undefined;
  }
}

/** What a member's agents have logged so far, oldest first. Lines of other processes are left out. */
export function logLines(member: DemoMember): LogLine[] {
  return readFileSync(member.logFile, 'utf8')
    .split('\n')
    .flatMap((line) => parse(line) ?? []);
}

/** Where the log ends now; `logSince` answers what came after it. */
export const logMark = (member: DemoMember): number => logLines(member).length;

export const logSince = (member: DemoMember, mark: number): LogLine[] =>
  logLines(member).slice(mark);

/** Jobs that a member's agent has finished since the mark, in order. */
export const jobsSince = (member: DemoMember, mark: number): unknown[] =>
  logSince(member, mark)
    .filter(({ msg }) => msg === 'job done')
    .map((line) => line['job']);

/** The end of a member's log as text, raw: also what the agent said before it could log JSON. */
export function evidenceOf(member: DemoMember): string {
  const lines = readFileSync(member.logFile, { encoding: 'utf8', flag: 'a+' })
    .trimEnd()
    .split('\n');
  return `--- ${member.name}, last ${EVIDENCE_LINES} lines\n${lines.slice(-EVIDENCE_LINES).join('\n')}`;
}
