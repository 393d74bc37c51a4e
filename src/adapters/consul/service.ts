import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { done, fail } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { ConsulSettings } from '../../core/service-settings.ts';
import type { Millis } from '../../core/time.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ServiceFacts, ServiceRegistry } from '../../ports/service-registry.ts';
import type { Logger } from '../../ports/telemetry.ts';
import { Addresses } from './addresses.ts';
import type { Call, Reply } from './transport.ts';

export interface ConsulServiceOptions {
  readonly scope: string;
  readonly memberName: string;
  readonly settings: ConsulSettings;
  readonly sessionTtlMillis: Millis;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * The member as a service of the local Consul agent (`register_service`), named, tagged and checked
 * as Patroni does it. Routing only: nothing decides by it.
 */
export interface ConsulService extends ServiceRegistry {
  close(): void;
}

interface Registration {
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  readonly Port: number;
  readonly Tags: readonly string[];
  readonly EnableTagOverride: boolean;
  readonly Check: Readonly<Record<string, string>>;
}

/** Patroni gives Consul ten session TTLs before it removes the service of a silent member. */
const DEREGISTER_TTLS = 10;
const NAME_LENGTH = 230;

export function createConsulService(options: ConsulServiceOptions): ConsulService {
  const { settings, scope, memberName } = options;
  // Services belong to one agent, the first: on another they would stand a second time.
  const local = { ...settings, addresses: settings.addresses.slice(0, 1) };
  const addresses = new Addresses(local, options.clock, options.logger);
  const id = `${scope}/${memberName}`;
  let registered: Registration | undefined;

  const list = async (
    timeoutMillis: Millis,
  ): Promise<Result<z.infer<typeof servicesSchema>[string] | undefined>> => {
    const reply = await addresses.ask(LIST, timeoutMillis);
    if (reply.kind === 'silence' || reply.status !== 200) return failed(reply, scope);
    const services = servicesSchema.safeParse(reply.body);
    return services.success ? { ok: true, value: services.data[id] } : failed(reply, scope);
  };

  const withdraw: ConsulService['withdraw'] = async (timeoutMillis) => {
    const listed = await list(timeoutMillis / 2);
    if (!listed.ok) return listed;
    registered = undefined;
    if (listed.value === undefined) return done;
    const reply = await addresses.sendOnce(deregisterCall(id), timeoutMillis / 2);
    return reply.kind === 'reply' && reply.status === 200 ? done : failed(reply, scope);
  };

  return {
    withdraw,
    publish: async (facts, timeoutMillis) => {
      if (facts.state === 'stopped') return withdraw(timeoutMillis);
      const path = PATHS[facts.role];
      // Between two states the last registration stays: its health check tells the truth meanwhile.
      if (path === undefined || facts.state !== 'running') return done;
      const wanted = describe(id, path, facts, options);
      if (wanted === undefined) {
        return fail('consul-service-url', `cannot register a service for ${facts.connUrl}`);
      }
      const listed = await list(timeoutMillis / 2);
      if (!listed.ok) return listed;
      if (isDeepStrictEqual(wanted, registered) && listed.value?.Port === wanted.Port) return done;
      const reply = await addresses.sendOnce(registerCall(wanted), timeoutMillis / 2);
      if (reply.kind !== 'reply' || reply.status !== 200) return failed(reply, scope);
      registered = wanted;
      return done;
    },
    close: () => {
      addresses.close();
    },
  };
}

/** Role to the path of the health check, which is also the role's tag. */
const PATHS: Readonly<Record<string, string>> = {
  primary: 'primary',
  replica: 'replica',
  standby_leader: 'standby-leader',
};

function describe(
  id: string,
  path: string,
  facts: ServiceFacts,
  options: ConsulServiceOptions,
): Registration | undefined {
  const { settings } = options;
  if (!URL.canParse(facts.connUrl) || !URL.canParse(facts.apiUrl)) return undefined;
  const database = new URL(facts.connUrl);
  const check = new URL(`/${path}`, facts.apiUrl);
  const serverName = settings.serviceCheckTlsServerName;
  return {
    ID: id,
    Name: serviceName(options.scope),
    Address: database.hostname.replace(/^\[(.*)\]$/, '$1'),
    Port: Number(database.port === '' ? 5432 : database.port),
    // HAProxy templates of before Patroni 4 look for `master`.
    Tags: [...settings.serviceTags, path, ...(path === 'primary' ? ['master'] : [])],
    EnableTagOverride: true,
    Check: {
      HTTP: check.href,
      Interval: `${settings.serviceCheckIntervalMillis}ms`,
      DeregisterCriticalServiceAfter: `${options.sessionTtlMillis * DEREGISTER_TTLS}ms`,
      ...(serverName === undefined ? {} : { TLSServerName: serverName }),
    },
  };
}

/**
 * A name that Consul's DNS can answer for: lower case, `.`, `_` and blanks as `-`, anything else as
 * `u` and its code (patroni/dcs/consul.py, service_name_from_scope_name).
 */
export function serviceName(scope: string): string {
  const name = Array.from(scope.toLowerCase(), (character) => {
    if (/[._ ]/.test(character)) return '-';
    if (/[a-z0-9-]/.test(character)) return character;
    return `u${(character.codePointAt(0) ?? 0).toString().padStart(4, '0')}`;
  });
  return name.join('').slice(0, NAME_LENGTH);
}

const servicesSchema = z.record(z.string(), z.object({ Port: z.number() }));

const failed = (reply: Reply, scope: string): Result<never> => {
  const failure = reply.kind === 'silence' ? reply.failure : reply.failed;
  const rule = `service "${serviceName(scope)}" { policy = "write" }`;
  const remedy =
    failure.code === 'forbidden'
      ? `grant the token ${rule}, as config/consul-acl.hcl does, or switch register_service off`
      : undefined;
  return fail(`consul-service-${failure.code}`, failure.message, remedy);
};

const LIST: Call = {
  name: 'list services',
  send: (client, options) => client.agent.service.list(options),
};

const deregisterCall = (id: string): Call => ({
  name: 'deregister service',
  send: (client, options) => client.agent.service.deregister({ ...options, id }),
});

/** A bare request: the library's own method leaves `EnableTagOverride` out. */
const registerCall = (registration: Registration): Call => ({
  name: 'register service',
  send: (client, options) =>
    client.put(rawRequest('/agent/service/register', registration, options)),
});

/** The common options in the form that the library's lowest layer takes. */
function rawRequest(path: string, body: object, options: object): object {
  const common = options as { ctx?: unknown; timeout?: number; token?: string; dc?: string };
  return {
    path,
    type: 'json',
    body,
    ctx: common.ctx,
    timeout: common.timeout,
    headers: common.token === undefined ? {} : { 'x-consul-token': common.token },
    query: common.dc === undefined ? {} : { dc: common.dc },
  };
}
