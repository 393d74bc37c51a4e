import { createServer } from 'node:net';
import { join } from 'node:path';
import { done, fail, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { FollowTarget, LaunchCommand } from '../../ports/postgres.ts';
import { asArguments, brakeFile, writeConfiguration } from './configuration.ts';
import type { Context } from './context.ts';
import { errnoOf, messageOf } from './thrown.ts';
import { removeDurably } from './durable-files.ts';
import { operatorEnvironment } from './environment.ts';
import { launchParameters } from './launch-parameters.ts';
import { removeStalePidFile, requireDown } from './postmaster.ts';
import { lowerLimits } from './single-user.ts';
import { writeStandbySignal } from './standby-signal.ts';
import { readMarker, readMarkerOfMethod } from './unfinished.ts';

/** Whether something else listens at an address that this Postgres is to listen on. */
function portTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(errnoOf(error) === 'EADDRINUSE'));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(false)));
  });
}

async function checkPort(context: Context): Promise<Result<void>> {
  const { listenAddresses, port } = context.settings();
  const hosts = listenAddresses
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '')
    .map((address) => (address === '*' ? '0.0.0.0' : address));
  for (const host of hosts) {
    if (!(await portTaken(host, port))) continue;
    return fail(
      'postgres-port-in-use',
      `port ${port} on ${host} is used by another process`,
      `Find it with: ss -ltnp 'sport = :${port}'. Often it is the distribution's own cluster: disable its unit, or set another postgresql.listen.`,
    );
  }
  return done;
}

async function requireStartable(context: Context): Promise<Result<void>> {
  const { dataDir } = context.settings();
  const marker = (await readMarkerOfMethod(context)) ?? (await readMarker(dataDir));
  if (marker !== undefined) {
    return fail(
      'postgres-data-unfinished',
      `${dataDir} holds a ${marker.work} that did not end; it is never started`,
      'It is cloned anew; nothing needs doing.',
    );
  }
  const down = await requireDown(context);
  if (!down.ok) return down;
  if (await removeStalePidFile(dataDir)) {
    context.logger.log('info', 'stale postmaster.pid removed');
  }
  return checkPort(context);
}

async function prepare(context: Context, target: FollowTarget): Promise<Result<LaunchCommand>> {
  const { dataDir } = context.settings();
  const startable = await requireStartable(context);
  if (!startable.ok) return startable;
  const installation = await context.binaries.find();
  if (!installation.ok) return installation;
  if (target.leading === true) await lowerLimits(context);
  const parameters = await launchParameters(context);
  if (!parameters.ok) return parameters;
  // First of all: whatever happens below, this directory comes up as a standby.
  await writeStandbySignal(dataDir);
  const written = await writeConfiguration(context, target, parameters.value, 'refusing');
  if (!written.ok) return written;
  // Whatever held commits here belonged to the leader that this server was.
  await removeDurably(brakeFile(context));
  // With recovery.signal alone recovery would end by itself; a leftover promote file is a request.
  await removeDurably(join(dataDir, 'recovery.signal'));
  await removeDurably(join(dataDir, 'promote'));
  return ok({
    executable: installation.value.path('postgres'),
    args: [
      '-D',
      dataDir,
      '-c',
      `config_file=${written.value.main}`,
      '-c',
      `data_directory=${dataDir}`,
      '-c',
      `hba_file=${written.value.hba}`,
      ...asArguments(parameters.value),
    ],
    env: operatorEnvironment({ PGDATA: dataDir }),
    dataDir,
    logFile: join(context.stateDir, 'postgresql.log'),
  });
}

/** All that has to be in place before the guardian starts the postmaster, as a standby. */
export async function prepareStart(
  context: Context,
  target: FollowTarget,
): Promise<Result<LaunchCommand>> {
  try {
    return await prepare(context, target);
  } catch (error) {
    return fail(
      'postgres-start-not-prepared',
      `${context.settings().dataDir}: ${messageOf(error)}`,
      'Check the free space and the permissions of the data directory.',
    );
  }
}
