import { withoutEffect } from '../../config/without-effect.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Result } from '../../core/result.ts';
import { exitCodeOf, sendAction, succeeded } from '../actions.ts';
import type { ActionResult } from '../actions.ts';
import { changedConfig } from '../config-changes.ts';
import type { ConfigChanges } from '../config-changes.ts';
import { confirmOrAbort } from '../confirm.ts';
import type { CommandContext } from '../context.ts';
import { unifiedDiff } from '../diff.ts';
import { applyPatch, patchBetween, readConfig, sameJson } from '../dynamic-config.ts';
import type { ReadConfig } from '../dynamic-config.ts';
import { editText } from '../editor.ts';
import { findCluster, resolveCluster } from '../lookup.ts';
import type { FoundCluster } from '../lookup.ts';
import { done, failed } from '../outcome.ts';
import type { CliFailure, Outcome } from '../outcome.ts';
import { toYaml } from '../output.ts';
import { isObject, plainObject } from '../../wire/consul/json.ts';
import { collect, examples } from '../runner.ts';
import type { Register } from '../runner.ts';
import { mayBeSynchronous } from '../synchronous.ts';
import { synchronousNotes } from '../synchronous-notes.ts';
import { printable } from '../text-width.ts';
import { parseConfigText } from '../yaml-input.ts';

const TIMEOUT_MILLIS = 15_000;

interface EditOptions extends ConfigChanges {
  readonly quiet?: boolean;
  readonly force?: boolean;
}

type Step<T> = Promise<Result<T, CliFailure>>;

async function editInteractively(
  context: CommandContext,
  cluster: FoundCluster,
  before: JsonObject,
): Step<JsonObject> {
  if (!context.terminal.isTty.stdin || !context.terminal.isTty.stdout) {
    return failed(
      'usage',
      'An editor needs a terminal, and no change is given.',
      'Use --set key=value, --pg parameter=value, --apply FILE or --replace FILE.',
    );
  }
  const edited = await editText(toYaml(before), `${cluster.scope}-config`, context.terminal);
  return edited.ok ? parseConfigText(edited.value, 'the edited configuration') : edited;
}

function showDiff(context: CommandContext, before: JsonObject, after: JsonObject): void {
  const { paint, terminal } = context;
  const lines = unifiedDiff(toYaml(before), toYaml(after)).map((line) => {
    const shown = printable(line);
    if (line.startsWith('+')) return paint.green(shown);
    if (line.startsWith('-')) return paint.red(shown);
    return line.startsWith('@@') ? paint.cyan(shown) : shown;
  });
  terminal.out(`--- before\n+++ after\n${lines.join('\n')}\n`);
}

function showNotes(
  context: CommandContext,
  { members }: FoundCluster,
  before: JsonObject,
  after: JsonObject,
): void {
  const available = members.filter(
    ({ role, tags }) => !role.endsWith('leader') && mayBeSynchronous(tags),
  ).length;
  for (const note of synchronousNotes(before, after, available)) {
    context.terminal.out(`Note: ${note}
`);
  }
}

/** What this change adds and no agent will act on: nobody sees its log when a key is misspelt. */
function warnOfNoEffect({ terminal }: CommandContext, before: JsonObject, after: JsonObject): void {
  const known = withoutEffect(before);
  const added = withoutEffect(after).filter((text) => !known.includes(text));
  for (const text of added) terminal.err(`Warning: ${printable(text)}\n`);
}

const concurrent = (): ReturnType<typeof failed> =>
  failed(
    'refused',
    'The configuration was changed by somebody else meanwhile; nothing was written.',
    'Look at it with "pgbaton show-config" and make the change again.',
  );

/**
 * Sends the difference as a merge patch, which a member writes with a compare-and-set of its own.
 * What others changed between our reading and now ends the command; the rest of a moment is
 * covered by the patch touching only what differs.
 */
async function write(
  context: CommandContext,
  cluster: FoundCluster,
  before: ReadConfig,
  after: JsonObject,
): Step<{ readonly result: ActionResult; readonly written: unknown }> {
  const now = await findCluster(context, cluster.scope);
  if (!now.ok) return now;
  const current = readConfig(now.value);
  if (!current.ok) return current;
  if (current.value.index !== before.index) return concurrent();
  const patch = patchBetween(before.config, after);
  // The leader first: it is the one most surely up to date.
  const order = [...now.value.members].sort(
    (left, right) => Number(right.role.endsWith('leader')) - Number(left.role.endsWith('leader')),
  );
  const tried: string[] = [];
  for (const member of order) {
    const request = {
      method: 'PATCH',
      path: '/config',
      body: patch,
      timeoutMillis: TIMEOUT_MILLIS,
    } as const;
    const result = await sendAction(context, member, request);
    if (result.outcome !== 'unreachable')
      return { ok: true, value: { result, written: result.json } };
    tried.push(result.message);
  }
  return failed(
    'unreachable',
    tried.length === 0
      ? `Cluster ${cluster.scope} has no members that could take the change.`
      : `No member can be reached to take the change: ${tried.join('; ')}`,
    'Start an agent, or check that the REST addresses are reachable from here.',
  );
}

async function editConfig(
  context: CommandContext,
  named: string | undefined,
  options: EditOptions,
): Promise<Outcome> {
  const { terminal } = context;
  const force = options.force === true;
  const cluster = await resolveCluster(context, named);
  if (!cluster.ok) return cluster;
  const before = readConfig(cluster.value);
  if (!before.ok) return before;
  const given = await changedConfig(before.value.config, options, terminal);
  if (!given.ok) return given;
  const after =
    given.value === undefined
      ? await editInteractively(context, cluster.value, before.value.config)
      : given;
  if (!after.ok) return after;
  // What the patch can express is what will be there: nulls and emptied mappings fall away.
  const wanted = applyPatch(after.value ?? {}, {});
  if (sameJson(before.value.config, wanted)) {
    if (options.quiet !== true) terminal.out('Not changed\n');
    return done;
  }
  if (options.quiet !== true) {
    showDiff(context, before.value.config, wanted);
    showNotes(context, cluster.value, before.value.config, wanted);
  }
  warnOfNoEffect(context, before.value.config, wanted);
  if (!force && !context.prompter.interactive) {
    return failed(
      'usage',
      'Nothing was written: this asks for confirmation, and standard input is no terminal.',
      'Use --force to apply the changes shown.',
    );
  }
  const agreed = await confirmOrAbort(context, force, 'Apply these changes?');
  if (!agreed.ok) return agreed;
  const written = await write(context, cluster.value, before.value, wanted);
  if (!written.ok) return written;
  return concludeEdit(context, written.value.result, written.value.written, wanted);
}

function concludeEdit(
  context: CommandContext,
  result: ActionResult,
  written: unknown,
  wanted: JsonObject,
): Outcome {
  if (!succeeded(result)) {
    const status = result.status === undefined ? '' : ` (status ${result.status})`;
    const what =
      result.outcome === 'unknown'
        ? 'Whether the change was made is not known'
        : 'The change was not made';
    const message = `${what}${status}: ${result.message}`;
    const hint = result.hint ?? 'Correct the values named, or see "pgbaton show-config".';
    return { ok: false, error: { exitCode: exitCodeOf(result), message, hint } };
  }
  context.terminal.out('Configuration changed\n');
  if (isObject(written) && !sameJson(plainObject(written), wanted)) {
    context.terminal.err(
      'Warning: somebody else changed other keys at the same time; see "pgbaton show-config".\n',
    );
  }
  return done;
}

export const registerEditConfig: Register = (program, runner) => {
  const command = program
    .command('edit-config')
    .description('change the dynamic configuration of a cluster')
    .argument('[cluster]', 'name of the cluster; default: scope of the configuration')
    .option('-s, --set <key.path=yaml>', 'set one value; null removes; may be repeated', collect)
    .option('-p, --pg <parameter=yaml>', 'set a PostgreSQL parameter; may be repeated', collect)
    .option('--apply <file>', 'merge a YAML file into it; "-" is standard input')
    .option('--replace <file>', 'replace all of it by a YAML file; "-" is standard input')
    .option('-q, --quiet', 'do not show the differences')
    .option('--force', 'do not ask')
    .addHelpText(
      'after',
      examples(
        'pgbaton edit-config batman',
        'pgbaton edit-config batman -s ttl=10 -p max_connections=200',
        'pgbaton edit-config batman -s synchronous_mode=on -s synchronous_mode_strict=on',
        'pgbaton edit-config batman --apply changes.yml --force',
      ),
    )
    .action((named: string | undefined, options: EditOptions) =>
      runner.withContext(command, (context) => editConfig(context, named, options)),
    );
};
