import { agentConfigPath } from '../config-path.ts';
import { examples } from '../runner.ts';
import type { Register } from '../runner.ts';

export const registerAgent: Register = (program, runner) => {
  program
    .command('agent')
    .description('run the agent beside a PostgreSQL until it is told to stop')
    .argument(
      '[config]',
      'YAML file or directory of such; default: --config-file, then the environment',
    )
    .addHelpText(
      'after',
      examples('pgbaton agent /etc/pgbaton/pgbaton.yml', 'pgbaton agent /etc/pgbaton/conf.d'),
    )
    .action((config: string | undefined) => {
      const path = config ?? agentConfigPath(program.opts(), runner.terminal.env);
      return runner.runAgent(path === undefined ? [] : [path]);
    });
};
