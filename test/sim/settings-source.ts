import { Origins } from '../../src/config/layer.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { LoadedConfig } from '../../src/config/load.ts';
import { readDynamic } from '../../src/config/dynamic.ts';
import type { DynamicState } from '../../src/config/dynamic.ts';
import { settingsOver } from '../../src/config/resolve.ts';
import { ok } from '../../src/core/result.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { SettingsSource } from '../../src/ports/settings-source.ts';
import { someSettings } from '../harness/settings.ts';
import type { SettingsGiven } from '../harness/settings.ts';
import type { Identity } from './model.ts';
import type { Plan } from './plan.ts';

/** What the files of members differ in. */
interface MemberFile {
  readonly tags: JsonObject;
  readonly watchdog: Plan['watchdog'];
}

/** Configurations of members, as their files would be; the same for every seed that has the member. */
const loaded = new Map<string, LoadedConfig>();

const fileOf = ({ name, address }: Identity, { tags, watchdog }: MemberFile): string =>
  JSON.stringify({
    scope: 'demo',
    namespace: '/service',
    name,
    restapi: { listen: `${address}:8008`, connect_address: `${address}:8008` },
    consul: { host: '127.0.0.1:8500' },
    postgresql: {
      listen: `${address}:5432`,
      connect_address: `${address}:5432`,
      data_dir: '/data',
      authentication: {
        superuser: { username: 'postgres' },
        replication: { username: 'replicator' },
      },
    },
    bootstrap: { dcs: {} },
    tags,
    ...(watchdog === undefined ? {} : { watchdog: { mode: watchdog } }),
  });

/** Reads and checks the configuration of a member, once; nothing but memory is asked. */
async function prepareConfig(identity: Identity, given: MemberFile): Promise<void> {
  const file = fileOf(identity, given);
  if (loaded.has(file)) return;
  const read = await loadConfig(sourceOf(file));
  if (!read.ok) throw new Error(JSON.stringify(read.error));
  loaded.set(file, read.value);
}

const sourceOf = (file: string): Parameters<typeof loadConfig>[0] => ({
  path: undefined,
  environment: { PATRONI_CONFIGURATION: file },
});

/** The shipped source of settings for one run of an agent, with what is read of its `bootstrap.dcs`. */
function settingsSource(
  identity: Identity,
  given: MemberFile,
  bootstrapDynamic: DynamicState,
): SettingsSource {
  const file = fileOf(identity, given);
  const known = loaded.get(file);
  if (known === undefined) throw new Error(`the configuration of ${identity.address} is not read`);
  return settingsOver(sourceOf(file), { ...known, bootstrapDynamic });
}

/** Names beyond those that the cluster begins with, and machines that a name may move to. */
const SPARE_NAMES = 2;
const SPARE_MACHINES = ['b', 'c'];

export const spareMachines = (name: string): readonly string[] =>
  SPARE_MACHINES.map((suffix) => name + suffix);

/** How each member of a run is configured, whichever machine it is on. */
export class Configurations {
  readonly spareNames: readonly string[];
  readonly #dynamic: DynamicState;
  readonly #tags: ReadonlyMap<string, JsonObject>;
  readonly #watchdog: Plan['watchdog'];

  private constructor(plan: Plan) {
    const name = (index: number): string => `pg${index + 1}`;
    this.#watchdog = plan.watchdog;
    this.#dynamic = readDynamic(plan.dynamic, new Origins());
    this.#tags = new Map(plan.tags.map((tags, index) => [name(index), tags]));
    this.spareNames = Array.from({ length: SPARE_NAMES }, (_, extra) => name(plan.members + extra));
  }

  /** Reads all files that may be needed, so that nothing has to wait for one later. */
  static async read(plan: Plan): Promise<Configurations> {
    const read = new Configurations(plan);
    const names = [...read.#tags.keys(), ...read.spareNames];
    for (const name of names) {
      for (const suffix of ['', ...SPARE_MACHINES])
        await prepareConfig({ name, address: name + suffix }, read.#fileOf(name));
    }
    return read;
  }

  #fileOf(name: string): MemberFile {
    return { tags: this.tagsOf(name), watchdog: this.#watchdog };
  }

  tagsOf(name: string): JsonObject {
    return this.#tags.get(name) ?? {};
  }

  /** Its tags keep it from leading. */
  isBarred(name: string): boolean {
    const { nofailover, failover_priority: priority } = this.tagsOf(name);
    return nofailover === true || priority === 0;
  }

  maySynchronise(name: string): boolean {
    return this.tagsOf(name)['nosync'] !== true;
  }

  settingsFor(identity: Identity): SettingsSource {
    return settingsSource(identity, this.#fileOf(identity.name), this.#dynamic);
  }
}

/** One and the same for as long as the run lasts, but for maintenance mode. */
export function fixedSettings({ name, address }: Identity, given: SettingsGiven): SettingsSource {
  const some = someSettings({ ...given, name });
  const urls = {
    apiUrl: `http://${address}:8008/patroni`,
    connUrl: `postgres://${address}:5432/postgres`,
  };
  const fixed = { ...some, member: { ...some.member, ...urls } };
  let settings = fixed;
  return {
    current: () => settings,
    applyDynamic: (dynamic) => {
      const pause = dynamic?.['pause'] === true;
      settings = { ...fixed, policy: { ...fixed.policy, pause } };
      return settings;
    },
    reload: () => Promise.resolve(ok(settings)),
    validateDynamic: () => ok({ warnings: [] }),
  };
}
