import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createConsulService } from './adapters/consul/service.ts';
import { createConsulStore } from './adapters/consul/store.ts';
import { createGuardian } from './adapters/guardian/create-guardian.ts';
import { createPeers } from './adapters/peers/create-peers.ts';
import type { RestPeers } from './adapters/peers/create-peers.ts';
import { createPostgres } from './adapters/postgres/create-postgres.ts';
import { ALREADY_RUNNING, lockAgent } from './adapters/system/agent-lock.ts';
import { systemClock } from './adapters/system/clock.ts';
import { createHostState } from './adapters/system/host-state.ts';
import { dropPrivileges } from './adapters/system/privileges.ts';
import { systemRandom } from './adapters/system/random.ts';
import { ServiceManager } from './adapters/system/service-manager.ts';
import type { DecidedMember } from './adapters/system/service-manager.ts';
import { createWatchdogDevice } from './adapters/system/watchdog-device.ts';
import { Agent } from './agent/agent.ts';
import type { AgentEnd } from './agent/agent.ts';
import { NAME_TAKEN } from './agent/duplicate.ts';
import { measuredStore } from './agent/measured-store.ts';
import type { AgentPorts } from './agent/ports.ts';
import { createApi } from './api/create-api.ts';
import { createSettingsSource } from './config/resolve.ts';
import type { ConfiguredSource, ServiceSettings } from './config/types.ts';
import type { Decision } from './core/decision.ts';
import type { Failure, Result } from './core/result.ts';
import type { Secret } from './core/secret.ts';
import { longestQuietMillis } from './core/timing.ts';
import type { Logger } from './ports/telemetry.ts';
import { createTelemetry } from './telemetry/create-telemetry.ts';
import type { Telemetry } from './telemetry/create-telemetry.ts';
import { createJournal } from './telemetry/events.ts';
import type { FileJournal } from './telemetry/events.ts';
import { DecisionJournal } from './telemetry/journal.ts';
import { hiderOf, secretsIn } from './telemetry/known-secrets.ts';
import { redactText } from './telemetry/redact.ts';

/** Exit codes of the agent; the README lists them. */
export const AGENT_EXIT = { stopped: 0, failed: 1, usage: 2, twin: 3 } as const;

const SESSION_TTL_MILLIS = 10_000;

const version = (): string => {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const parsed: unknown = JSON.parse(text);
  const found =
    typeof parsed === 'object' && parsed !== null && 'version' in parsed ? parsed.version : '';
  return String(found);
};

const tell = (failed: Failure): void => {
  process.stderr.write(`Error: ${failed.message}\n`);
  if (failed.remedy !== undefined) process.stderr.write(`Hint: ${failed.remedy}\n`);
};

/** Runs one agent until it is told to stop. `argv`: the configuration file or directory, or nothing. */
export async function runAgent(argv: readonly string[]): Promise<number> {
  if (argv.length > 1) {
    tell({
      code: 'usage',
      message: 'expected one configuration file or directory',
      remedy: 'pgbaton agent /etc/pgbaton/pgbaton.yml',
    });
    return AGENT_EXIT.usage;
  }
  const source = await createSettingsSource({ path: argv[0], environment: process.env });
  if (!source.ok) {
    tell(source.error);
    return AGENT_EXIT.failed;
  }
  process.on('unhandledRejection', (reason) => {
    dieOf('unhandled rejection', reason, source.value);
  });
  process.on('uncaughtException', (error) => {
    dieOf('uncaught exception', error, source.value);
  });
  const { dataDir } = source.value.current().postgres;
  const dropped = dropPrivileges(dataDir, process.env['PGBATON_USER']);
  if (!dropped.ok) {
    tell(dropped.error);
    return AGENT_EXIT.failed;
  }
  const stateDir = process.env['PGBATON_STATE_DIR'] ?? `${dataDir.replace(/\/+$/, '')}.pgbaton`;
  const lock = await lockAgent(stateDir);
  if (!lock.ok) {
    tell(lock.error);
    return lock.error.code === ALREADY_RUNNING ? AGENT_EXIT.twin : AGENT_EXIT.failed;
  }
  try {
    return await runLocked(source.value, stateDir);
  } finally {
    lock.value.release();
  }
}

async function runLocked(source: ConfiguredSource, stateDir: string): Promise<number> {
  const { member } = source.current();
  const telemetry = await createTelemetry({
    scope: member.scope,
    name: member.name,
    settings: source.services().log,
  });
  const { logger } = telemetry;
  telemetry.logger.hide(secretsOf(source));
  const manager = new ServiceManager({
    environment: process.env,
    clock: systemClock,
    logger,
    hide: (text) => hiderOf(secretsOf(source))(redactText(text)),
  });
  let reloadServices = (): void => undefined;
  const reloading = withReload(source, () => {
    reloadServices();
  });
  const parts = await assemble(reloading, stateDir, telemetry, manager);
  if (!parts.ok) return stopEarly(telemetry, parts.error);
  const { agent, api, peers, close } = parts.value;
  const listening = await api.listen();
  if (!listening.ok) return stopEarly(telemetry, listening.error);
  reloadServices = () => {
    telemetry.logger.hide(secretsOf(source));
    logger.setLevel(source.services().log.level);
    void api.reload(source.services().restapi).then((result) => {
      report(logger, result);
    });
    void peers.reload(peersSettings(source.services())).then((result) => {
      report(logger, result);
    });
  };
  const signals = watchSignals(agent, logger, manager);
  logger.log('info', 'pgbaton starts', {
    version: version(),
    scope: member.scope,
    member: member.name,
    api: member.apiUrl,
  });
  const started = await agent.start();
  if (!started.ok) {
    signals.stop();
    await api.close();
    const failed = await stopEarly(telemetry, started.error);
    return started.error.code === NAME_TAKEN ? AGENT_EXIT.twin : failed;
  }
  const end = await Promise.race([agent.ended(), signals.detached]);
  signals.stop();
  manager.stopping();
  await api.close();
  await close(end.kind);
  logger.log('info', 'pgbaton stopped', { how: end.kind });
  await telemetry.close();
  return end.kind === 'twin' ? AGENT_EXIT.twin : AGENT_EXIT.stopped;
}

/**
 * The same source, which tells of every reload, by whatever it was asked for: SIGHUP or the API. What
 * follows is not waited for, since the API cannot change its own listener in the middle of an answer.
 */
function withReload(source: ConfiguredSource, after: () => void): ConfiguredSource {
  return {
    current: () => source.current(),
    services: () => source.services(),
    applyDynamic: (dynamic) => source.applyDynamic(dynamic),
    validateDynamic: (dynamic) => source.validateDynamic(dynamic),
    reload: async () => {
      const reloaded = await source.reload();
      if (reloaded.ok) after();
      return reloaded;
    },
  };
}

const secretsOf = (source: ConfiguredSource): readonly Secret[] => [
  ...secretsIn(source.current()),
  ...secretsIn(source.services()),
];

async function stopEarly(telemetry: Telemetry, failed: Failure): Promise<number> {
  telemetry.logger.log('error', failed.message, { code: failed.code, remedy: failed.remedy });
  tell(failed);
  await telemetry.close();
  return AGENT_EXIT.failed;
}

interface Parts {
  readonly agent: Agent;
  readonly api: ReturnType<typeof createApi>;
  readonly peers: RestPeers;
  readonly close: (how: AgentEnd['kind'] | 'detached') => Promise<void>;
}

async function assemble(
  source: ConfiguredSource,
  stateDir: string,
  telemetry: Telemetry,
  manager: ServiceManager,
): Promise<Result<Parts>> {
  const { member, postgres: postgresSettings } = source.current();
  const services = source.services();
  const { logger, meter } = telemetry;
  const runBase = process.env['PGBATON_RUN_DIR'];
  const runDir =
    runBase === undefined ? join(stateDir, 'run') : join(runBase, `${member.scope}-${member.name}`);
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  const common = { scope: member.scope, memberName: member.name, logger, clock: systemClock };
  const service = createService(source, common);
  const consul = createConsulStore({
    ...common,
    namespace: member.namespace,
    settings: services.consul,
    sessionTtlMillis: SESSION_TTL_MILLIS,
  });
  const postgres = createPostgres({ ...common, settings: postgresSettings, stateDir });
  const peers = await createPeers({
    scope: member.scope,
    selfName: member.name,
    settings: peersSettings(services),
    clock: systemClock,
    logger,
  });
  if (!peers.ok) return peers;
  const journal = openJournal(services, stateDir, logger);
  const agent = new Agent({
    clock: systemClock,
    random: systemRandom,
    store: measuredStore(consul, systemClock, meter),
    postgres,
    guardian: createGuardian({
      dataDir: postgresSettings.dataDir,
      runDir,
      executable: fileURLToPath(new URL('guardian/main.js', import.meta.url)),
      logger,
      clock: systemClock,
    }),
    watchdog: createWatchdogDevice(),
    peers: peers.value,
    hostState: createHostState(stateDir),
    settings: source,
    logger,
    meter,
    registry: service,
    version: version(),
    decided: (view, memory, decision) => {
      journal?.decided(view, memory, decision);
      manager.decided(decidedMember(agent, decision));
    },
  });
  telemetry.attach(agent);
  const api = createApi({ agent, settings: services.restapi, metrics: telemetry.metrics, logger });
  const close = async (how: AgentEnd['kind'] | 'detached'): Promise<void> => {
    if (how === 'left') await agent.close();
    else await agent.detach();
    consul.close();
    service?.close();
    await peers.value.close();
    await journal?.file.close();
  };
  return { ok: true, value: { agent, api, peers: peers.value, close } };
}

/** A member as systemd is told of it. */
function decidedMember(agent: Agent, { rule, name, why }: Decision): DecidedMember {
  return {
    up: () => {
      const { acceptsWrites, replicationState } = agent.status();
      return acceptsWrites || replicationState === 'streaming';
    },
    status: `${rule} ${name}: ${why}`,
    quietMillis: longestQuietMillis(agent.settings().policy.timing),
  };
}

/** What was decided and from what, in the state directory; undefined: it is not wanted. */
function openJournal(
  services: ServiceSettings,
  stateDir: string,
  logger: Logger,
):
  { readonly file: FileJournal; readonly decided: NonNullable<AgentPorts['decided']> } | undefined {
  const maxBytes = services.log.journalSizeBytes;
  if (maxBytes === 0) return undefined;
  const file = createJournal({ path: join(stateDir, 'journal.jsonl'), maxBytes, logger });
  const decisions = new DecisionJournal({
    journal: file,
    clock: systemClock,
    logger,
    version: version(),
  });
  return {
    file,
    decided: (view, memory, decision) => {
      decisions.record(view, memory, decision);
    },
  };
}

/** The member as a Consul service, if the configuration asks for it. */
function createService(
  source: ConfiguredSource,
  common: {
    readonly scope: string;
    readonly memberName: string;
    readonly logger: Logger;
    readonly clock: typeof systemClock;
  },
): ReturnType<typeof createConsulService> | undefined {
  const settings = source.services().consul;
  if (!settings.registerService) return undefined;
  return createConsulService({ ...common, settings, sessionTtlMillis: SESSION_TTL_MILLIS });
}

function peersSettings(services: ServiceSettings): Parameters<typeof createPeers>[0]['settings'] {
  const { authentication, cacert, certfile, keyfile, keyfilePassword, insecure } = services.ctl;
  return { authentication, tls: { cacert, certfile, keyfile, keyfilePassword, insecure } };
}

function report(logger: Logger, result: Result<void>): void {
  if (!result.ok)
    logger.log('error', result.error.message, {
      code: result.error.code,
      remedy: result.error.remedy,
    });
}

/**
 * SIGTERM and SIGINT: hand over, stop Postgres, leave. SIGUSR2: leave, and let Postgres, guardian and
 * lease go on for the next agent. SIGHUP: read the configuration again.
 */
function watchSignals(
  agent: Agent,
  logger: Logger,
  manager: ServiceManager,
): { readonly detached: Promise<{ readonly kind: 'detached' }>; readonly stop: () => void } {
  let detach: (end: { readonly kind: 'detached' }) => void = () => {};
  const detached = new Promise<{ readonly kind: 'detached' }>((resolve) => {
    detach = resolve;
  });
  const onStop = (signal: NodeJS.Signals): void => {
    logger.log('info', 'told to stop', { signal });
    manager.stopping();
    agent.shutdown();
  };
  const onReload = (): void => {
    manager.reloading();
    void agent.submit({ kind: 'reload' }).finally(() => {
      manager.reloaded();
    });
  };
  const onDetach = (): void => {
    logger.log('info', 'told to leave Postgres and the lease to the next agent', {
      signal: 'SIGUSR2',
    });
    manager.stopping();
    detach({ kind: 'detached' });
  };
  process.on('SIGTERM', onStop).on('SIGINT', onStop).on('SIGHUP', onReload).on('SIGUSR2', onDetach);
  const stop = (): void => {
    process
      .off('SIGTERM', onStop)
      .off('SIGINT', onStop)
      .off('SIGHUP', onReload)
      .off('SIGUSR2', onDetach);
  };
  return { detached, stop };
}

/** A bug ends the agent, loudly; the guardian keeps Postgres and the lease for the next one. */
function dieOf(kind: string, error: unknown, source: ConfiguredSource): void {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const hidden = hiderOf(secretsOf(source));
  process.stderr.write(`Error: ${kind}: ${hidden(redactText(detail))}\n`);
  process.exit(AGENT_EXIT.failed);
}

const startedAs = process.argv[1] ?? '';
// Bundled, this file is a part of the command line's, and must not run by itself there.
if (/\bmain\.[jt]s$/.test(startedAs) && import.meta.url === pathToFileURL(startedAs).href) {
  // Whatever is still open by then must not keep the next agent of this member from starting.
  process.exit(await runAgent(process.argv.slice(2)));
}
