import { createHash, timingSafeEqual } from 'node:crypto';
import type { BasicAuthentication, RestApiSettings } from '../core/service-settings.ts';
import type { Allowlist } from './allowlist.ts';
import type { Endpoint } from './endpoints.ts';
import { error, type Reply } from './exchange.ts';

/** What is known of the caller before the body is read. */
export interface Caller {
  readonly address: string | undefined;
  readonly authorization: string | undefined;
  /** Over TLS: whether a certificate was shown that the CA signed; undefined: no TLS. */
  readonly verifiedCertificate: boolean | undefined;
}

const digest = (value: string): Buffer => createHash('sha256').update(value).digest();

/** Compares digests, so that the time taken tells nothing about the secret, not even its length. */
function isAuthorised(header: string, expected: BasicAuthentication): boolean {
  const match = /^basic +([a-z0-9+/=_-]+) *$/i.exec(header);
  const given = Buffer.from(match?.[1] ?? '', 'base64').toString('utf8');
  const wanted = `${expected.username}:${expected.password.reveal()}`;
  return timingSafeEqual(digest(given), digest(wanted));
}

function challenge(message: string): Reply {
  const reply = error(401, 'not-authenticated', message);
  return { ...reply, headers: { 'www-authenticate': 'Basic realm="Patroni"' } };
}

const NO_CERTIFICATE = error(403, 'no-client-certificate', 'client certificate required');

/**
 * Patroni's checks of the unsafe methods, in its order: allowlist, client certificate, credentials.
 * Undefined lets the caller pass.
 */
export async function denialOf(
  endpoint: Endpoint,
  caller: Caller,
  settings: RestApiSettings,
  allowlist: Allowlist,
): Promise<Reply | undefined> {
  const { verifyClient } = settings;
  const certificateMissing = verifyClient !== 'none' && caller.verifiedCertificate === false;
  // The handshake refuses them already; this is the second lock on the same door.
  if (certificateMissing && verifyClient === 'required') return NO_CERTIFICATE;
  if (!endpoint.unsafe) return undefined;
  const promises = endpoint.id === 'promise' || endpoint.id === 'withdraw';
  const when = promises ? 'members-unknown-is-fine' : 'usual';
  if (!(await allowlist.admits(caller.address, when))) {
    return error(403, 'access-denied', 'Access is denied');
  }
  if (certificateMissing) return NO_CERTIFICATE;
  if (settings.authentication === undefined) return undefined;
  if (caller.authorization === undefined) return challenge('no auth header received');
  if (isAuthorised(caller.authorization, settings.authentication)) return undefined;
  return challenge('not authenticated');
}
