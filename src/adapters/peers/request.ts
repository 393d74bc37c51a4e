import { request, type Agent } from 'undici';
import { fail, ok, type Result } from '../../core/result.ts';
import type { Millis } from '../../core/time.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PeerAddress } from '../../ports/peers.ts';

export interface PeerCall {
  readonly peer: PeerAddress;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body: string | undefined;
  readonly timeoutMillis: Millis;
}

export interface PeerAnswer {
  readonly status: number;
  readonly text: string;
}

/** What all calls of one member have in common. */
export interface Caller {
  readonly connections: Agent;
  readonly authorization: string | undefined;
  readonly userAgent: string;
  readonly clock: Clock;
}

/** No member's answer is that long; whatever is longer comes from somebody else. */
const ANSWER_LIMIT_BYTES = 65_536;

const STALE_CONNECTION: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error ? String(error.code) : error.name;
}

function originOf(peer: PeerAddress): string | undefined {
  try {
    const url = new URL(peer.apiUrl);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.origin : undefined;
  } catch {
    return undefined;
  }
}

const isCertificateProblem = (code: string): boolean => /^ERR_TLS_|CERT|UNABLE_TO_|SSL/.test(code);

function callFailure(call: PeerCall, error: unknown, expired: boolean): Result<never> {
  const { name, apiUrl } = call.peer;
  const where = `${call.method} ${call.path} at ${name} (${apiUrl})`;
  if (expired) {
    return fail('peer-timeout', `${where}: no answer within ${call.timeoutMillis} ms`);
  }
  const code = codeOf(error);
  if (isCertificateProblem(code)) {
    return fail(
      'peer-certificate',
      `${where}: ${error instanceof Error ? error.message : code}`,
      'Set ctl.cacert (or restapi.cafile) to the authority of the members, whose certificates must name the address in their api_url; or set ctl.insecure.',
    );
  }
  return fail('peer-unreachable', `${where}: ${code}`);
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    // Leaving the loop destroys the stream.
    if (bytes > ANSWER_LIMIT_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function attempt(
  caller: Caller,
  call: PeerCall,
  origin: string,
  signal: AbortSignal,
): Promise<PeerAnswer | undefined> {
  const answer = await request(`${origin}${call.path}`, {
    dispatcher: caller.connections,
    method: call.method,
    signal,
    headers: {
      accept: 'application/json',
      'user-agent': caller.userAgent,
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(caller.authorization === undefined ? {} : { authorization: caller.authorization }),
    },
    ...(call.body === undefined ? {} : { body: call.body }),
  });
  const text = await readText(answer.body);
  return text === undefined ? undefined : { status: answer.statusCode, text };
}

/**
 * One question to one member, answered or failed within its timeout. A kept connection that the
 * other side had just closed is tried once more: all calls mean the same when they arrive twice.
 * Failures: `peer-address`, `peer-timeout`, `peer-unreachable`, `peer-certificate`, `unintelligible`.
 */
export async function callPeer(caller: Caller, call: PeerCall): Promise<Result<PeerAnswer>> {
  const origin = originOf(call.peer);
  if (origin === undefined) {
    return fail(
      'peer-address',
      `the api_url of ${call.peer.name} is no http or https URL`,
      'Correct restapi.connect_address on that member.',
    );
  }
  const expiry = new AbortController();
  let cancel = (): void => undefined;
  const expired = new Promise<never>((_, reject) => {
    cancel = caller.clock.timer(call.timeoutMillis, () => {
      const reason = new Error('expired');
      expiry.abort(reason);
      reject(reason);
    });
  });
  const answered = attempt(caller, call, origin, expiry.signal).catch((error: unknown) => {
    if (expiry.signal.aborted || !STALE_CONNECTION.has(codeOf(error))) throw error;
    return attempt(caller, call, origin, expiry.signal);
  });
  try {
    // undici heeds a signal only once the connection is there or has failed: to a host that is silent
    // that takes seconds, while an election waits for what it is asked.
    const answer = await Promise.race([answered, expired]);
    return answer === undefined
      ? fail('unintelligible', `${call.peer.name} sent more than ${ANSWER_LIMIT_BYTES} bytes`)
      : ok(answer);
  } catch (error) {
    return callFailure(call, error, expiry.signal.aborted);
  } finally {
    cancel();
  }
}
