import { randomBytes } from 'node:crypto';
import type { Json, JsonObject } from '../core/json.ts';
import { Secret } from '../core/secret.ts';

/** Role names and passwords of one cluster, made anew for every run. */
export interface ClusterLogins {
  readonly superuser: { readonly username: string; readonly password: Secret };
  readonly replication: { readonly username: string; readonly password: Secret };
  readonly rewind: { readonly username: string; readonly password: Secret };
}

export function randomLogins(): ClusterLogins {
  const password = (): Secret => new Secret(randomBytes(18).toString('base64url'));
  return {
    superuser: { username: 'postgres', password: password() },
    replication: { username: 'replicator', password: password() },
    rewind: { username: 'rewinder', password: password() },
  };
}

/** Where one member lives. */
export interface MemberPlace {
  readonly name: string;
  /** Of its REST API and its Postgres. */
  readonly address: string;
  /** From where clients may log in, in the words of pg_hba.conf. */
  readonly clients: string;
  readonly dataDir: string;
  readonly pgpass: string;
  readonly restPort: number;
  readonly postgresPort: number;
}

export interface ClusterShape {
  readonly scope: string;
  readonly consulAddresses: readonly string[];
  readonly consulToken: Secret | undefined;
  readonly pgBinDir: string;
  readonly logins: ClusterLogins;
  /** Laid over `bootstrap.dcs`. */
  readonly dynamic: JsonObject;
  /** Laid over the whole of a member's configuration. */
  readonly local: (member: string) => JsonObject;
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `over` laid on `base`: objects are merged by key, null removes, everything else replaces. */
export function mergeConfig(base: JsonObject, over: JsonObject): JsonObject {
  const merged: Record<string, Json> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    if (value === null) delete merged[key];
    else merged[key] = isObject(value) && isObject(below) ? mergeConfig(below, value) : value;
  }
  return merged;
}

/** One member's configuration in Patroni's format, for several members on one small machine. */
export function memberConfig(shape: ClusterShape, place: MemberPlace): JsonObject {
  const login = (of: ClusterLogins[keyof ClusterLogins]): JsonObject => ({
    username: of.username,
    password: of.password.reveal(),
  });
  const rest = `${place.address}:${place.restPort}`;
  const postgres = `${place.address}:${place.postgresPort}`;
  const [consulAddress, ...moreAddresses] = shape.consulAddresses;
  const base: JsonObject = {
    scope: shape.scope,
    namespace: '/service/',
    name: place.name,
    log: { type: 'json', level: 'INFO' },
    restapi: { listen: rest, connect_address: rest },
    consul: {
      host: moreAddresses.length === 0 ? (consulAddress ?? '') : shape.consulAddresses,
      ...(shape.consulToken === undefined ? {} : { token: shape.consulToken.reveal() }),
    },
    bootstrap: {
      dcs: mergeConfig(
        {
          postgresql: {
            use_pg_rewind: true,
            use_slots: true,
            parameters: {
              max_connections: 50,
              max_wal_senders: 8,
              max_worker_processes: 4,
              wal_keep_size: '64MB',
            },
          },
        },
        shape.dynamic,
      ),
      initdb: [{ encoding: 'UTF8' }, { locale: 'C' }, 'data-checksums'],
    },
    postgresql: {
      listen: postgres,
      connect_address: postgres,
      data_dir: place.dataDir,
      bin_dir: shape.pgBinDir,
      pgpass: place.pgpass,
      authentication: {
        superuser: login(shape.logins.superuser),
        replication: login(shape.logins.replication),
        rewind: login(shape.logins.rewind),
      },
      parameters: {
        shared_buffers: '16MB',
        max_wal_size: '256MB',
        autovacuum_naptime: '10min',
        log_connections: false,
      },
      pg_hba: [
        'local all all scram-sha-256',
        `host all all ${place.clients} scram-sha-256`,
        `host replication ${shape.logins.replication.username} ${place.clients} scram-sha-256`,
      ],
    },
  };
  return mergeConfig(base, shape.local(place.name));
}
