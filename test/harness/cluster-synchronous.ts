import type { JsonObject } from '../../src/core/json.ts';
import type { Millis } from '../../src/core/time.ts';
import type { DemoMember, RestAnswer } from '../../src/demo/member.ts';
import { BOUNDS, eventually } from './cluster.ts';
import type { TestCluster } from './cluster.ts';
import { storedKeys } from './cluster-store.ts';

/** Key `sync` as Consul has it, in force. */
export interface StoredSync {
  readonly leader: string;
  readonly standbys: readonly string[];
  readonly quorum: number;
}

interface WireSync {
  readonly leader: string | null;
  readonly sync_standby: string | null;
  readonly quorum: number;
}

/** Undefined: the key is absent, or names no leader and so promises nothing. */
export async function storedSync(cluster: TestCluster): Promise<StoredSync | undefined> {
  const key = (await storedKeys(cluster)).get('sync');
  if (key === undefined) return undefined;
  const { leader, sync_standby: standbys, quorum } = JSON.parse(key.text) as WireSync;
  if (leader === null || leader === '') return undefined;
  const names = standbys === null || standbys === '' ? [] : standbys.split(',');
  return { leader, standbys: names.toSorted(), quorum };
}

/** `synchronous_standby_names` as it is in effect. */
export async function synchronousNames(member: DemoMember): Promise<string> {
  const [row] = await member.sql("select current_setting('synchronous_standby_names') as names");
  return String(row?.['names']);
}

/** Backends whose commit waits for a standby. */
export async function waitingCommits(member: DemoMember): Promise<number> {
  const [row] = await member.sql(
    "select count(*)::int as waiting from pg_stat_activity where wait_event = 'SyncRep'",
  );
  return Number(row?.['waiting']);
}

/** Waits until so many standbys answer for the commits of this primary, in Consul and in Postgres alike. */
export async function whenSynchronous(
  cluster: TestCluster,
  primary: DemoMember,
  wanted: { readonly standbys: number; readonly quorum?: number },
  timeoutMillis: Millis = BOUNDS.conditionMillis,
): Promise<StoredSync> {
  return eventually(
    `${wanted.standbys} synchronous standbys of ${primary.name}`,
    async () => {
      const sync = await storedSync(cluster);
      if (sync?.leader !== primary.name || sync.standbys.length !== wanted.standbys) return false;
      if (sync.quorum !== (wanted.quorum ?? 0)) return false;
      const rows = await primary.sql(
        "select application_name from pg_stat_replication where sync_state in ('sync', 'quorum')",
      );
      const counted = rows.map((row) => String(row['application_name'])).sort();
      return counted.join() === sync.standbys.join() && sync;
    },
    timeoutMillis,
  );
}

export async function configure(asked: DemoMember, body: JsonObject): Promise<RestAnswer> {
  const answer = await asked.rest('/config', {
    method: 'PATCH',
    body,
    timeoutMillis: BOUNDS.conditionMillis,
  });
  if (answer.status !== 200) throw new Error(`PATCH /config: ${answer.status} ${answer.text}`);
  return answer;
}

/** All that a member says of why it is where it is, in one text. */
export async function explanationOf(member: DemoMember): Promise<string> {
  return (await member.rest('/explain')).text;
}
