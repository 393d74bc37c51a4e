import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import type { Millis } from '../../src/core/time.ts';
import { DemoCluster } from '../../src/demo/cluster.ts';
import type { ConsulServers } from '../../src/demo/consul-servers.ts';
import { startConsul } from '../../src/demo/consul-servers.ts';
import type { DemoMember } from '../../src/demo/member.ts';
import type { AgentProgram } from '../../src/demo/program.ts';
import { RunDirectory } from '../../src/demo/run-directory.ts';
import { until } from '../../src/demo/wait.ts';
import { evidenceOf, jobsSince } from './cluster-log.ts';
import { binaries } from './servers.ts';
import { mountSmallDisk } from './small-disk.ts';

/** Bounds for a machine that others use too; what is measured is asserted apart from them. */
export const BOUNDS = {
  bootstrapMillis: 60_000,
  takeoverMillis: 30_000,
  rejoinMillis: 60_000,
  conditionMillis: 20_000,
  /** What a machine on which everything waits for its turn adds to what is bounded in itself. */
  schedulingMillis: 1_500,
} as const satisfies Readonly<Record<string, Millis>>;

export interface TestClusterOptions {
  readonly members: number;
  readonly consulServers?: number;
  /** Consul denies whatever the token that `local` gives the members does not allow. */
  readonly acl?: boolean;
  /** Each member has a filesystem of its own, of this size; needs root. */
  readonly diskMegabytes?: number;
  /** Laid over `bootstrap.dcs`. */
  readonly dynamic?: JsonObject;
  /** What the members run instead of the build in this work tree. */
  readonly program?: (run: RunDirectory) => AgentProgram;
  /** Laid over a member's configuration; `folder` is that of the member. */
  readonly local?: (member: string, folder: string) => JsonObject;
}

/** Real Consul servers and agents of one test file, each in a folder of its own below one directory. */
export class TestCluster {
  readonly run: RunDirectory;
  readonly consul: ConsulServers;
  readonly cluster: DemoCluster;

  constructor(run: RunDirectory, consul: ConsulServers, cluster: DemoCluster) {
    this.run = run;
    this.consul = consul;
    this.cluster = cluster;
  }

  get members(): readonly DemoMember[] {
    return this.cluster.members;
  }

  /** Nothing runs yet but Consul. */
  static async create(options: TestClusterOptions): Promise<TestCluster> {
    const run = new RunDirectory('integration');
    try {
      const servers = binaries();
      const { local, program } = options;
      const consul = await startConsul(run, {
        program: servers.consul,
        servers: options.consulServers ?? 1,
        acl: options.acl ?? false,
      });
      const { members, diskMegabytes } = options;
      if (diskMegabytes !== undefined)
        for (let number = 1; number <= members; number += 1)
          mountSmallDisk(run, join(run.path, `pg${number}`), diskMegabytes);
      const cluster = await DemoCluster.create({
        run,
        pgBinDir: servers.pgBinDir,
        consulAddresses: consul.addresses,
        members,
        scope: 'test',
        ...(options.dynamic === undefined ? {} : { dynamic: options.dynamic }),
        ...(program === undefined ? {} : { program: program(run) }),
        ...(local === undefined
          ? {}
          : { local: (member): JsonObject => local(member, join(run.path, member)) }),
      });
      return new TestCluster(run, consul, cluster);
    } catch (error) {
      run.remove();
      throw error;
    }
  }

  /** Every member runs, one is primary and all others stream from it. Answers the primary. */
  async settle(except?: DemoMember): Promise<DemoMember> {
    for (const member of this.members) member.start();
    const primary = await this.cluster.waitForPrimary(BOUNDS.bootstrapMillis, except);
    await this.cluster.waitForStreaming(primary, BOUNDS.rejoinMillis);
    return primary;
  }

  /** The members other than this one, in their order. */
  others(than: DemoMember): [DemoMember, ...DemoMember[]] {
    const [first, ...more] = this.cluster.others(than);
    if (first === undefined) throw new Error('the cluster has no other member');
    return [first, ...more];
  }

  async close(): Promise<void> {
    // A power cut of everything is the fastest end, and the directory goes with it.
    for (const member of this.members) await member.kill();
    await this.consul.stop();
    this.run.remove();
  }

  /** What the agents decided and did last, for a test that failed. */
  evidence(): string {
    return this.members.map((member) => evidenceOf(member)).join('\n');
  }
}

/**
 * One cluster for all tests of a file. After a failed test the last decisions of every agent are
 * printed and the logs are kept.
 */
export function useCluster(
  options: TestClusterOptions,
  prepare: (cluster: TestCluster) => Promise<void> = async (cluster) => {
    await cluster.settle();
  },
): () => TestCluster {
  let current: TestCluster | undefined;
  const get = (): TestCluster => {
    if (current === undefined) throw new Error('the cluster was not started');
    return current;
  };
  beforeAll(async () => {
    const cluster = await TestCluster.create(options);
    current = cluster;
    try {
      await prepare(cluster);
    } catch (error) {
      console.error(cluster.evidence());
      cluster.run.keepLogs();
      throw error;
    }
  });
  beforeEach(({ onTestFailed }) => {
    onTestFailed(() => {
      const { run } = get();
      console.error(`${get().evidence()}\nlogs are kept in ${run.logs}`);
      run.keepLogs();
    });
  });
  afterAll(async () => {
    await current?.close();
  });
  return get;
}

/**
 * The jobs by which a member came back. It streams a moment before the job that started it has
 * ended, so the last of them is waited for.
 */
export async function jobsOfReturn(member: DemoMember, mark: number): Promise<unknown[]> {
  return eventually(`${member.name} started`, () => {
    const jobs = jobsSince(member, mark);
    return jobs.includes('start') && jobs;
  });
}

/** `until` with the usual bound. */
export async function eventually<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMillis: Millis = BOUNDS.conditionMillis,
): Promise<T> {
  return until(what, condition, { timeoutMillis, intervalMillis: 25 });
}
