/** What the exit code of a command tells a script. README's table is made from this. */
export const EXIT_CODES = [
  { code: 0, name: 'done', meaning: 'It is done, or the answer is complete.' },
  {
    code: 1,
    name: 'refused',
    meaning: 'Refused or failed, as a server or a check says; the message tells what was changed.',
  },
  { code: 2, name: 'usage', meaning: 'The command line or the configuration is wrong.' },
  {
    code: 3,
    name: 'unreachable',
    meaning: 'The cluster, a member or Consul does not exist or cannot be reached.',
  },
  { code: 4, name: 'aborted', meaning: 'You said no, or ended a question.' },
  {
    code: 5,
    name: 'unknown',
    meaning: 'It timed out or was interrupted: whether it happened is not known.',
  },
] as const;

export type ExitName = (typeof EXIT_CODES)[number]['name'];
export type ExitCode = (typeof EXIT_CODES)[number]['code'];

/** The number that goes with a name. */
export function exitCode(name: ExitName): ExitCode {
  const row = EXIT_CODES.find((entry) => entry.name === name);
  return row === undefined ? 1 : row.code;
}
