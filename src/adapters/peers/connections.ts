import { readFile } from 'node:fs/promises';
import { Agent } from 'undici';
import { fail, ok, type Result } from '../../core/result.ts';
import type { Secret } from '../../core/secret.ts';

/** How members reach each other's REST API, from `ctl`, or else `restapi`. */
export interface PeersTlsSettings {
  /** PEM files. Without `cacert` the system's authorities count. */
  readonly cacert: string | undefined;
  readonly certfile: string | undefined;
  readonly keyfile: string | undefined;
  readonly keyfilePassword: Secret | undefined;
  /** Do not verify the certificates of members. */
  readonly insecure: boolean;
}

const CONNECT_TIMEOUT_MILLIS = 2000;
/** Beyond any timeout that callers give; theirs is the one that counts. */
const ANSWER_TIMEOUT_MILLIS = 30_000;
const KEEP_ALIVE_MILLIS = 4000;
/** One for questions, one for promises: neither waits for the other. */
const CONNECTIONS_PER_PEER = 2;
const HEADER_LIMIT_BYTES = 16_384;

async function read(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : readFile(path);
}

/** Pools for all members. Failure `peer-certificate-unreadable`. */
export async function openConnections(tls: PeersTlsSettings): Promise<Result<Agent>> {
  try {
    const [ca, cert, key] = await Promise.all([
      read(tls.cacert),
      read(tls.certfile),
      read(tls.keyfile ?? tls.certfile),
    ]);
    const passphrase = tls.keyfilePassword?.reveal();
    return ok(
      new Agent({
        connections: CONNECTIONS_PER_PEER,
        pipelining: 1,
        keepAliveTimeout: KEEP_ALIVE_MILLIS,
        keepAliveMaxTimeout: KEEP_ALIVE_MILLIS,
        headersTimeout: ANSWER_TIMEOUT_MILLIS,
        bodyTimeout: ANSWER_TIMEOUT_MILLIS,
        maxHeaderSize: HEADER_LIMIT_BYTES,
        connect: {
          timeout: CONNECT_TIMEOUT_MILLIS,
          rejectUnauthorized: !tls.insecure,
          ...(ca === undefined ? {} : { ca }),
          ...(cert === undefined ? {} : { cert }),
          ...(key === undefined ? {} : { key }),
          ...(passphrase === undefined ? {} : { passphrase }),
        },
      }),
    );
  } catch (error) {
    return fail(
      'peer-certificate-unreadable',
      `a certificate file for REST calls to members: ${error instanceof Error ? error.message : String(error)}`,
      'Make the files of ctl (or restapi) readable for the agent, or correct their paths.',
    );
  }
}
