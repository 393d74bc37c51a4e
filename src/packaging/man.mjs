// pgbaton(1), from what the program itself says, so that the two cannot differ.
import { spawnSync } from 'node:child_process';

function help(program, ...words) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words, '--help'], {
    encoding: 'utf8',
    env: { NO_COLOR: '1', LC_ALL: 'C.UTF-8' },
  });
  if (status !== 0) throw new Error(`pgbaton ${words.join(' ')} --help failed: ${stderr}`);
  return stdout.trim();
}

/** Text as it is: no line of it is a request to troff. */
const literal = (text) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .split('\n')
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n');

const preformatted = (title, text) => `.SH "${title}"\n.nf\n${literal(text)}\n.fi\n`;

/** Names of the commands, out of the overview. */
function commandsIn(overview) {
  const [, list = ''] = /\nCommands:\n([^]*?)\n\n/.exec(`${overview}\n\n`) ?? [];
  return list.split('\n').flatMap((line) => /^ {2}([a-z][a-z-]*)/.exec(line)?.[1] ?? []);
}

/** `program`: the bundled command line. */
export function manual(program, version) {
  const overview = help(program);
  const commands = commandsIn(overview).filter((name) => name !== 'help');
  return [
    `.TH PGBATON 1 "" "pgbaton ${version}"\n`,
    '.SH NAME\npgbaton \\- automatic failover for PostgreSQL, by a leader lease in Consul\n',
    preformatted('SYNOPSIS', 'pgbaton [options] [command]'),
    preformatted('DESCRIPTION', overview),
    ...commands.map((name) => preformatted(`pgbaton ${name}`, help(program, name))),
    preformatted(
      'FILES',
      [
        '/etc/pgbaton/pgbaton.yml       configuration of the agent of this host',
        '/etc/pgbaton/environment       variables for the agent: PGBATON_*, PATRONI_*',
        '/usr/share/pgbaton             JSON schema of the configuration, dashboards, alerts',
        '/usr/share/doc/pgbaton         examples, and the manual as README.md.gz',
        '<data_dir>.pgbaton             what this host must not forget, and the journal of decisions',
      ].join('\n'),
    ),
  ].join('');
}
