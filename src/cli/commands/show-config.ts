import type { CommandContext } from '../context.ts';
import { resolveCluster } from '../lookup.ts';
import { done } from '../outcome.ts';
import type { Outcome } from '../outcome.ts';
import { readConfig } from '../dynamic-config.ts';
import { toYaml } from '../output.ts';
import { examples } from '../runner.ts';
import type { Register } from '../runner.ts';

async function showConfig(context: CommandContext, named: string | undefined): Promise<Outcome> {
  const cluster = await resolveCluster(context, named);
  if (!cluster.ok) return cluster;
  const config = readConfig(cluster.value);
  if (!config.ok) return config;
  const asJson = context.format === 'json';
  context.terminal.out(
    asJson ? `${JSON.stringify(config.value.config)}\n` : toYaml(config.value.config),
  );
  return done;
}

export const registerShowConfig: Register = (program, runner) => {
  const command = program
    .command('show-config')
    .description('the dynamic configuration of a cluster, as YAML (or --format json)')
    .argument('[cluster]', 'name of the cluster; default: scope of the configuration')
    .addHelpText(
      'after',
      examples('pgbaton show-config', 'pgbaton show-config batman > batman.yml'),
    )
    .action((named: string | undefined) =>
      runner.withContext(command, (context) => showConfig(context, named)),
    );
};
