import type { TestCluster } from './cluster.ts';

/** One key below `/service/test/` as Consul has it. */
export interface StoredKey {
  readonly key: string;
  readonly text: string;
  readonly session: string | undefined;
  readonly modifyIndex: number;
}

interface KvEntry {
  readonly Key: string;
  readonly Value: string | null;
  readonly Session?: string;
  readonly ModifyIndex: number;
}

const PREFIX = 'service/test/';

/** Asks the first server that answers: some may be down on purpose. */
async function request(
  { consul }: TestCluster,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  let last: unknown = new Error('no Consul server');
  for (const server of consul.servers) {
    try {
      return await consul.request(path, init, server);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

/** All keys of the cluster by their name below the prefix; consistent. */
export async function storedKeys(cluster: TestCluster): Promise<Map<string, StoredKey>> {
  const answer = await request(cluster, `/v1/kv/${PREFIX}?recurse&consistent`);
  if (answer.status === 404) return new Map();
  if (!answer.ok) throw new Error(`Consul answers ${answer.status}`);
  const entries = (await answer.json()) as readonly KvEntry[];
  return new Map(
    entries.map(({ Key, Value, Session, ModifyIndex }) => {
      const key = Key.slice(PREFIX.length);
      const text = Buffer.from(Value ?? '', 'base64').toString('utf8');
      return [key, { key, text, session: Session, modifyIndex: ModifyIndex }];
    }),
  );
}

/** Value of a key that must be there. */
export async function storedKey(cluster: TestCluster, key: string): Promise<StoredKey> {
  const found = (await storedKeys(cluster)).get(key);
  if (found === undefined) throw new Error(`key ${key} is missing`);
  return found;
}

export interface StoredGeneration {
  readonly n: number;
  readonly id: string;
  readonly holder: string;
  readonly timeline: number;
}

/** Key `generation`: who leads, under which number. It changes with every change of leader, only then. */
export async function storedGeneration(cluster: TestCluster): Promise<StoredGeneration> {
  return JSON.parse((await storedKey(cluster, 'generation')).text) as StoredGeneration;
}

/** Everything the cluster has in Consul is gone, as after a wrong `consul kv delete -recurse`. */
export async function wipeStore(cluster: TestCluster): Promise<void> {
  const answer = await request(cluster, `/v1/kv/${PREFIX}?recurse`, { method: 'DELETE' });
  if (!answer.ok) throw new Error(`Consul answers ${answer.status}`);
}

export async function destroySession(cluster: TestCluster, session: string): Promise<void> {
  const answer = await request(cluster, `/v1/session/destroy/${session}`, { method: 'PUT' });
  if (!answer.ok) throw new Error(`Consul answers ${answer.status}`);
}
