import type { JsonObject } from '../core/json.ts';
import type { Secret } from '../core/secret.ts';
import type { Millis } from '../core/time.ts';
import { DemoMember } from './member.ts';
import type { ClusterLogins, ClusterShape } from './member-config.ts';
import { randomLogins } from './member-config.ts';
import { LOCALHOST } from './place.ts';
import type { Place } from './place.ts';
import { preferPort } from './ports.ts';
import { agentProgram } from './program.ts';
import type { AgentProgram } from './program.ts';
import type { RunDirectory } from './run-directory.ts';
import type { WriterTargets } from './writer.ts';
import { until } from './wait.ts';
import { DemoError } from './demo-error.ts';

export interface ClusterOptions {
  readonly run: RunDirectory;
  readonly pgBinDir: string;
  readonly consulAddresses: readonly string[];
  readonly consulToken?: Secret | undefined;
  readonly members: number;
  readonly scope?: string;
  /** Laid over `bootstrap.dcs`. */
  readonly dynamic?: JsonObject;
  /** Laid over a member's whole configuration. */
  readonly local?: (member: string) => JsonObject;
  /** What the members run instead of the build in this work tree. */
  readonly program?: AgentProgram;
  /** Where the members run, in their order; all on this machine unless told otherwise. */
  readonly places?: readonly Place[];
  /** Ports people know (8008…, 5432…) where they are free. */
  readonly usualPorts?: boolean;
}

/** What GET /cluster says of a member, as far as it is looked at here. */
export interface ListedMember {
  readonly name: string;
  readonly role: string;
  readonly state: string;
  readonly timeline?: number;
}

const STOP_GRACE_MILLIS = 30_000;
const FIRST_USUAL_POSTGRES_PORT = 5432;
const FIRST_USUAL_REST_PORT = 8008;

/** A cluster of members on this machine, each in its own folder, steered from outside as a person would. */
export class DemoCluster {
  readonly members: readonly DemoMember[];
  readonly scope: string;
  readonly logins: ClusterLogins;

  private constructor(members: readonly DemoMember[], shape: ClusterShape) {
    this.members = members;
    this.scope = shape.scope;
    this.logins = shape.logins;
  }

  /** Writes folders and configurations; nothing runs yet. */
  static async create(options: ClusterOptions): Promise<DemoCluster> {
    const shape: ClusterShape = {
      scope: options.scope ?? 'demo',
      consulAddresses: options.consulAddresses,
      consulToken: options.consulToken,
      pgBinDir: options.pgBinDir,
      logins: randomLogins(),
      dynamic: options.dynamic ?? {},
      local: options.local ?? ((): JsonObject => ({})),
    };
    const program = options.program ?? agentProgram(options.run);
    const members: DemoMember[] = [];
    for (let index = 0; index < options.members; index += 1) {
      const place = options.places?.[index] ?? LOCALHOST;
      const port = options.usualPorts === true ? preferPort : place.port;
      const site = {
        place,
        restPort: await port(FIRST_USUAL_REST_PORT + index),
        postgresPort: await port(FIRST_USUAL_POSTGRES_PORT + index),
      };
      members.push(new DemoMember(options.run, program, shape, `pg${index + 1}`, site));
    }
    return new DemoCluster(members, shape);
  }

  start(): void {
    for (const member of this.members) member.start();
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.members.map(async (member) => member.stop(STOP_GRACE_MILLIS)));
  }

  member(name: string): DemoMember {
    const found = this.members.find((member) => member.name === name);
    if (found === undefined) throw new DemoError(`no member ${name}`);
    return found;
  }

  others(than: DemoMember): DemoMember[] {
    return this.members.filter((member) => member !== than);
  }

  /** The members whose /primary says 200 now: one, or none during a failover. */
  async primaries(): Promise<DemoMember[]> {
    const answers = await Promise.all(
      this.members.map(async (member) => (await member.answers('/primary')) && member),
    );
    return answers.filter((answer) => answer !== false);
  }

  /** Waits for the one primary, other than `except` if given. An agent that ended meanwhile is named. */
  async waitForPrimary(timeoutMillis: Millis, except?: DemoMember): Promise<DemoMember> {
    return until(
      except === undefined ? 'a primary' : `a primary other than ${except.name}`,
      async () => {
        const [first, ...more] = await this.primaries();
        return more.length === 0 && first !== undefined && first !== except && first;
      },
      {
        timeoutMillis,
        abort: () =>
          this.members.some((member) => member.isRunning) ? undefined : this.#whyNobodyRuns(),
      },
    );
  }

  #whyNobodyRuns(): Error {
    const tails = this.members.map((member) => `${member.name}:\n${member.agent.logTail()}`);
    return new DemoError(`every agent has ended\n${tails.join('\n')}`);
  }

  /** Names of the members that stream from this primary. */
  async streaming(primary: DemoMember): Promise<string[]> {
    const rows = await primary.sql(
      "select application_name from pg_stat_replication where state = 'streaming'",
    );
    return rows.map((row) => String(row['application_name']));
  }

  /**
   * Waits until every running member but the primary streams from it, on its timeline, and every
   * agent knows: what Postgres says and what GET /cluster lists agree.
   */
  async waitForStreaming(primary: DemoMember, timeoutMillis: Millis): Promise<void> {
    const expected = this.others(primary)
      .filter((member) => member.isRunning)
      .map((member) => member.name);
    await until(
      `${expected.join(' and ')} streaming from ${primary.name}`,
      async () => {
        const streaming = await this.streaming(primary);
        if (!expected.every((name) => streaming.includes(name))) return false;
        const listed = await this.listMembers(primary);
        const timeline = listed.get(primary.name)?.timeline;
        return expected.every((name) => {
          const member = listed.get(name);
          return member?.state === 'streaming' && member.timeline === timeline;
        });
      },
      { timeoutMillis },
    );
  }

  /** Members by name as GET /cluster of one of them lists them. */
  async listMembers(asked: DemoMember): Promise<Map<string, ListedMember>> {
    const { body } = await asked.rest('/cluster');
    const members = (body['members'] ?? []) as unknown as readonly ListedMember[];
    return new Map(members.map((member) => [member.name, member]));
  }

  /** Bytes of log that the primary has and the most advanced standby has not; undefined without a standby. */
  async replicationLagBytes(primary: DemoMember): Promise<number | undefined> {
    const [row] = await primary.sql(
      'select min(pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn))::bigint as lag from pg_stat_replication',
    );
    const lag = row?.['lag'];
    return lag === null || lag === undefined ? undefined : Number(lag);
  }

  /** POST /switchover, as a person or the CLI does. */
  async switchover(
    leader: DemoMember,
    candidate: DemoMember,
    timeoutMillis: Millis,
  ): Promise<string> {
    const answer = await leader.rest('/switchover', {
      method: 'POST',
      body: { leader: leader.name, candidate: candidate.name },
      timeoutMillis,
    });
    if (answer.status === 200 || answer.status === 202) return answer.text;
    throw new DemoError(`POST /switchover on ${leader.name}: ${answer.status} ${answer.text}`);
  }

  /** What a writer needs to find the primary by itself, as libpq does with several hosts. */
  directTargets(): WriterTargets {
    return this.members.map((member) => member.sqlTarget);
  }

  /** The same through a proxy's port. */
  proxiedTargets(port: number): WriterTargets {
    return this.members.slice(0, 1).map((member) => ({ ...member.sqlTarget, port }));
  }
}
