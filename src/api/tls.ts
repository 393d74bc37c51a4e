import { constants } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { fail, ok, type Result } from '../core/result.ts';
import type { RestApiSettings } from '../core/service-settings.ts';

/** Certificate, key and CA as read from the files, checked to fit each other. */
export type TlsMaterial = SecureContextOptions;

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

async function read(path: string, key: string): Promise<Result<Buffer>> {
  try {
    return ok(await readFile(path));
  } catch (error) {
    return fail(
      'api-certificate-unreadable',
      `restapi.${key}: ${reasonOf(error)}`,
      `Make ${path} readable for the agent, or correct restapi.${key}.`,
    );
  }
}

/**
 * Reads what HTTPS needs; undefined when there is no `certfile`. Failures:
 * `api-certificate-unreadable`, `api-certificate-invalid`, `api-cafile-missing`.
 */
export async function loadTls(settings: RestApiSettings): Promise<Result<TlsMaterial | undefined>> {
  const { certfile, cafile, verifyClient } = settings;
  if (certfile === undefined) return ok(undefined);
  if (verifyClient !== 'none' && cafile === undefined) {
    // Without it any certificate of a public authority would pass for a client's.
    return fail(
      'api-cafile-missing',
      `restapi.verify_client is ${verifyClient}, and restapi.cafile is not set`,
      'Set restapi.cafile to the authority that signs the client certificates.',
    );
  }
  const cert = await read(certfile, 'certfile');
  if (!cert.ok) return cert;
  const key = await read(settings.keyfile ?? certfile, 'keyfile');
  if (!key.ok) return key;
  const ca = cafile === undefined ? ok(undefined) : await read(cafile, 'cafile');
  if (!ca.ok) return ca;
  const passphrase = settings.keyfilePassword?.reveal();
  const material: TlsMaterial = {
    cert: cert.value,
    key: key.value,
    ...(ca.value === undefined ? {} : { ca: ca.value }),
    ...(passphrase === undefined ? {} : { passphrase }),
    // A resumed session passes as authorised without any certificate: none are resumed.
    ...(verifyClient === 'none' ? {} : { secureOptions: constants.SSL_OP_NO_TICKET }),
    ...(settings.ciphers === undefined ? {} : { ciphers: settings.ciphers }),
  };
  try {
    createSecureContext(material);
    return ok(material);
  } catch (error) {
    return fail(
      'api-certificate-invalid',
      `the certificate, key, CA or ciphers of restapi cannot be used: ${reasonOf(error)}`,
      'Check that restapi.keyfile belongs to restapi.certfile and restapi.keyfile_password is right.',
    );
  }
}
