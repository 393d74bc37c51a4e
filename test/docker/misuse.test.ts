import { getContainerRuntimeClient } from 'testcontainers';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { until } from '../../src/demo/wait.ts';
import { BOUNDS, useEngine } from './container-cluster.ts';
import { buildMember } from './images.ts';

/** What a container says that was not given what it needs. Consul is never reached here, and need not be. */
const engine = inject('engine');
const MAJOR = '15';
const IMAGE = `pgbaton:${MAJOR}`;
const VOLUME = `pgbaton-misuse-${process.pid}`;
const SETTINGS = {
  PGBATON_SCOPE: 'main',
  PGBATON_NAME: 'pg1',
  PGBATON_CONSUL_HOST: '127.0.0.1:8500',
  PGBATON_SUPERUSER_PASSWORD: 'secret-superuser',
  PGBATON_REPLICATION_PASSWORD: 'secret-replication',
};

interface Options {
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly user?: string;
  readonly volume?: string;
}

const dockerode = async () => (await getContainerRuntimeClient()).container.dockerode;
const made: string[] = [];

async function create(options: Options) {
  const container = await (
    await dockerode()
  ).createContainer({
    Image: IMAGE,
    Env: Object.entries(options.environment ?? {}).map(([name, value]) => `${name}=${value}`),
    Cmd: [...(options.command ?? ['agent'])],
    ...(options.entrypoint === undefined ? {} : { Entrypoint: [...options.entrypoint] }),
    ...(options.user === undefined ? {} : { User: options.user }),
    HostConfig: {
      NetworkMode: 'none',
      Binds: options.volume === undefined ? [] : [`${options.volume}:/var/lib/pgbaton`],
    },
  });
  made.push(container.id);
  await container.start();
  return container;
}

/** Runs a container to its end. */
async function run(options: Options): Promise<{ readonly code: number; readonly output: string }> {
  const container = await create(options);
  const { StatusCode: code } = (await container.wait()) as { readonly StatusCode: number };
  const output = (await container.logs({ stdout: true, stderr: true })).toString();
  return { code, output };
}

beforeAll(async () => {
  if (engine === undefined) return;
  useEngine(engine.host);
  const built = await buildMember(engine.host, MAJOR);
  if (!built.ok) throw new Error(built.error.message);
});

afterAll(async () => {
  if (engine === undefined) return;
  const docker = await dockerode();
  for (const id of made) await docker.getContainer(id).remove({ force: true, v: true });
  await docker.getVolume(VOLUME).remove({ force: true });
});

describe.skipIf(engine === undefined)('a container', () => {
  test('without settings names all that are missing', async () => {
    const { code, output } = await run({});
    expect(code).toBe(2);
    for (const name of ['SCOPE', 'CONSUL_HOST', 'SUPERUSER_PASSWORD', 'REPLICATION_PASSWORD']) {
      expect(output).toContain(`PGBATON_${name}`);
    }
  });

  test("takes Patroni's variables, and names only what is still missing", async () => {
    const environment = { PATRONI_SCOPE: 'main', PATRONI_CONSUL_HOST: '127.0.0.1:8500' };
    const { code, output } = await run({ environment });
    expect(code).toBe(2);
    expect(output).toContain('PGBATON_SUPERUSER_PASSWORD');
    expect(output).not.toContain('PGBATON_SCOPE');
  });

  test('is the command line client, too', async () => {
    const { code, output } = await run({ command: ['version'] });
    expect(code).toBe(0);
    expect(output).toContain('pgbaton version');
  });

  test('refuses a volume that another container runs on, running or paused', async () => {
    const owner = await create({ environment: SETTINGS, volume: VOLUME });
    await until(
      'the owner running',
      async () =>
        (await owner.logs({ stdout: true, stderr: true })).toString().includes('pgbaton starts'),
      { timeoutMillis: BOUNDS.takeoverMillis },
    );
    for (const prepare of [() => Promise.resolve(), async () => owner.pause()]) {
      await prepare();
      const { code, output } = await run({ environment: SETTINGS, volume: VOLUME });
      expect(code).toBe(1);
      expect(output).toContain('another container runs on this volume');
    }
    await owner.unpause();
    await owner.stop();
    expect((await owner.inspect()).State.ExitCode).toBe(0);
  });

  test('refuses data of another major version, and says which image it wants', async () => {
    const before = await run({
      entrypoint: ['bash', '-c'],
      command: ['mkdir -p data && echo 17 > data/PG_VERSION'],
      volume: VOLUME,
    });
    expect(before.code, before.output).toBe(0);
    const { code, output } = await run({ environment: SETTINGS, volume: VOLUME });
    expect(code).toBe(1);
    expect(output).toContain('the volume holds data of PostgreSQL 17');
    expect(output).toContain('use the image with PostgreSQL 17');
  });

  test('that cannot write its volume says whose it must be', async () => {
    const { code, output } = await run({ environment: SETTINGS, user: '1234' });
    expect(code).toBe(1);
    expect(output).toContain('cannot be written by user 1234');
  });

  test('started as root becomes postgres', async () => {
    const container = await create({ environment: SETTINGS, user: 'root' });
    await until(
      'the agent running as postgres',
      async () => {
        const { Processes } = (await container.top({ ps_args: '-eo uid,pid' })) as {
          readonly Processes: readonly (readonly string[])[];
        };
        return Processes.length > 1 && Processes.every(([uid]) => uid === '999');
      },
      { timeoutMillis: BOUNDS.takeoverMillis },
    );
  });

  test('says no password', async () => {
    const docker = await dockerode();
    for (const id of made) {
      const log = await docker.getContainer(id).logs({ stdout: true, stderr: true });
      expect(log.toString()).not.toMatch(/secret-(superuser|replication)/);
    }
  });
});
