import { afterEach, describe, expect, test } from 'vitest';
import { createConsulService, serviceName } from '../../../src/adapters/consul/service.ts';
import type { ConsulService } from '../../../src/adapters/consul/service.ts';
import type { ServiceFacts } from '../../../src/ports/service-registry.ts';
import { realClock } from '../../harness/fake-store-clock.ts';
import { TOKEN, recordingLogger, settingsFor, startScripted } from './scripted-consul.ts';
import type { ScriptedConsul } from './scripted-consul.ts';

const TIMEOUT = 5000;

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const facts: ServiceFacts = {
  role: 'primary',
  state: 'running',
  connUrl: 'postgres://10.0.0.1:5433/postgres',
  apiUrl: 'https://10.0.0.1:8008/patroni',
};

interface LocalAgent {
  readonly server: ScriptedConsul;
  readonly service: ConsulService;
  readonly services: Map<string, unknown>;
}

/** A Consul agent that keeps services, as much as the protocol needs. */
async function setUp(): Promise<LocalAgent> {
  const services = new Map<string, unknown>();
  const server = await startScripted((request, response) => {
    const url = request.url ?? '';
    if (url.startsWith('/v1/agent/service/register')) {
      const body = JSON.parse(server.bodies.at(-1) ?? '') as { ID: string };
      services.set(body.ID, body);
    } else if (url.startsWith('/v1/agent/service/deregister/')) {
      services.delete(decodeURIComponent(url.split('/').at(-1) ?? ''));
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(Object.fromEntries(services)));
  });
  const service = createConsulService({
    scope: 'batman',
    memberName: 'postgres-0',
    settings: settingsFor([server.port], { serviceTags: ['blue'], registerService: true }),
    sessionTtlMillis: 15_000,
    logger: recordingLogger(),
    clock: realClock,
  });
  cleanups.push(
    () => server.close(),
    () => {
      service.close();
    },
  );
  return { server, service, services };
}

describe('a member as a service', () => {
  test("is registered with Patroni's name, id, tags and check", async () => {
    const { server, service, services } = await setUp();
    expect(await service.publish(facts, TIMEOUT)).toMatchObject({ ok: true });
    expect(services.get('batman/postgres-0')).toEqual({
      ID: 'batman/postgres-0',
      Name: 'batman',
      Address: '10.0.0.1',
      Port: 5433,
      Tags: ['blue', 'primary', 'master'],
      EnableTagOverride: true,
      Check: {
        HTTP: 'https://10.0.0.1:8008/primary',
        Interval: '5000ms',
        DeregisterCriticalServiceAfter: '150000ms',
      },
    });
    expect(server.headers.every((headers) => headers['x-consul-token'] === TOKEN)).toBe(true);
  });

  test('is registered again only when something differs or the agent forgot it', async () => {
    const { server, service, services } = await setUp();
    const registrations = (): number =>
      server.requests.filter((request) => request.includes('/register')).length;
    await service.publish(facts, TIMEOUT);
    await service.publish(facts, TIMEOUT);
    expect(registrations()).toBe(1);
    await service.publish({ ...facts, role: 'replica' }, TIMEOUT);
    expect(registrations()).toBe(2);
    expect(services.get('batman/postgres-0')).toMatchObject({ Tags: ['blue', 'replica'] });
    services.clear();
    await service.publish({ ...facts, role: 'replica' }, TIMEOUT);
    expect(registrations()).toBe(3);
  });

  test('stays as it was between two states, and goes when stopped', async () => {
    const { service, services } = await setUp();
    await service.publish(facts, TIMEOUT);
    await service.publish({ ...facts, state: 'restarting' }, TIMEOUT);
    await service.publish({ ...facts, role: 'demoted' }, TIMEOUT);
    expect(services.size).toBe(1);
    await service.publish({ ...facts, state: 'stopped' }, TIMEOUT);
    expect(services.size).toBe(0);
    expect(await service.withdraw(TIMEOUT)).toMatchObject({ ok: true });
  });

  test('that cannot be registered is a failure, not an exception', async () => {
    const { server, service } = await setUp();
    expect(await service.publish({ ...facts, connUrl: '' }, TIMEOUT)).toMatchObject({ ok: false });
    await server.close();
    expect(await service.publish(facts, TIMEOUT)).toMatchObject({
      ok: false,
      error: { code: 'consul-service-unreachable' },
    });
  });
});

test.each([
  ['batman', 'batman'],
  ['My_Team.DB 1', 'my-team-db-1'],
  ['a/b', 'au0047b'],
  ['x'.repeat(300), 'x'.repeat(230)],
])('the service of cluster %j', (scope, name) => {
  expect(serviceName(scope)).toBe(name);
});
