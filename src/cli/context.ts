import type { ClientSettings } from '../config/types.ts';
import type { Result } from '../core/result.ts';
import type { ClusterReader } from './cluster-reader.ts';
import { failed } from './outcome.ts';
import type { CliFailure, Outcome } from './outcome.ts';
import { FORMATS, parseFormat } from './output.ts';
import type { Format } from './output.ts';
import { createPaint, wantsColor } from './paint.ts';
import type { Paint } from './paint.ts';
import { createPrompter } from './prompt.ts';
import type { Prompter } from './prompt.ts';
import type { RestClient } from './rest.ts';
import type { SettingsOptions } from './config-path.ts';
import type { Terminal } from './terminal.ts';

/** Options of every command. */
export interface GlobalOptions extends SettingsOptions {
  readonly format?: string;
  /** False with --no-color. */
  readonly color?: boolean;
}

/** All that a command works with; closed when it ends. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly format: Format;
  /** Colours of stdout. */
  readonly paint: Paint;
  readonly settings: ClientSettings;
  readonly reader: ClusterReader;
  readonly rest: RestClient;
  readonly prompter: Prompter;
}

export function chosenFormat(options: GlobalOptions): Result<Format, CliFailure> {
  const format = parseFormat(options.format ?? 'pretty');
  if (format !== undefined) return { ok: true, value: format };
  return failed(
    'usage',
    `There is no format "${options.format}".`,
    `Use one of: ${FORMATS.join(', ')}.`,
  );
}

/** Runs `body` with a context made from the configuration, and closes what it opened. */
export async function withContext(
  terminal: Terminal,
  options: GlobalOptions,
  body: (context: CommandContext) => Promise<Outcome>,
): Promise<Outcome> {
  const format = chosenFormat(options);
  if (!format.ok) return format;
  const { loadCliSettings } = await import('./settings.ts');
  const settings = await loadCliSettings(options, terminal.env);
  if (!settings.ok) return settings;
  const clients = await openClients(settings.value);
  if (!clients.ok) return clients;
  const { reader, rest } = clients.value;
  const prompter = createPrompter(terminal);
  try {
    return await body({
      terminal,
      format: format.value,
      paint: createPaint(wantsColor(terminal.isTty.stdout, options.color === false, terminal.env)),
      settings: settings.value,
      reader,
      rest,
      prompter,
    });
  } finally {
    prompter.close();
    reader.close();
    await rest.close();
  }
}

/** The HTTP libraries are loaded here, so that `agent`, `--help` and a usage error do without them. */
async function openClients(
  settings: ClientSettings,
): Promise<Result<{ reader: ClusterReader; rest: RestClient }, CliFailure>> {
  const [{ createClusterReader }, { createRestClient }] = await Promise.all([
    import('./cluster-reader.ts'),
    import('./rest.ts'),
  ]);
  try {
    const reader = createClusterReader(settings.consul, settings.namespace);
    return { ok: true, value: { reader, rest: createRestClient(settings.ctl) } };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return failed(
      'usage',
      `A certificate or key file cannot be used: ${said}`,
      'Check the file names under ctl, restapi and consul in the configuration.',
    );
  }
}
