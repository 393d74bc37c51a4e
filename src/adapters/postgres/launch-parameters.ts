import { ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { Context } from './context.ts';
import { readControlFile } from './inspect.ts';
import { ownedParameters, raiseToLimits } from './parameters.ts';
import { socketDirectories } from './socket-directory.ts';

/** Parameters of the command line for a start of this directory. */
export async function launchParameters(
  context: Context,
): Promise<Result<Readonly<Record<string, string>>>> {
  const settings = context.settings();
  const file = await readControlFile(context, settings.dataDir);
  if (!file.ok) return file;
  const owned = ownedParameters(settings, context.scope);
  const raised = raiseToLimits(owned, file.value.limits);
  const changed = Object.keys(owned).filter((name) => owned[name] !== raised[name]);
  if (changed.length > 0) {
    context.logger.log('warn', 'starting with the larger values of the former primary', {
      parameters: changed,
    });
  }
  return ok({ ...raised, unix_socket_directories: await socketDirectories(context) });
}
