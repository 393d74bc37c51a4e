import type { z } from 'zod';
import { done, fail, ok, type Result } from '../../core/result.ts';
import type { BasicAuthentication } from '../../core/service-settings.ts';
import type { Millis } from '../../core/time.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  PeerAddress,
  PeerReport,
  Peers,
  PromiseReply,
  PromiseRequest,
} from '../../ports/peers.ts';
import type { Logger } from '../../ports/telemetry.ts';
import { errorDocument } from '../../wire/rest/commands.ts';
import { parseJsonText, writeJsonText } from '../../wire/rest/json-text.ts';
import {
  encodePromiseRequest,
  peerDocument,
  promiseDocument,
  withdrawDocument,
} from '../../wire/rest/peer.ts';
import { describeProblem } from '../../wire/rest/values.ts';
import { openConnections, type PeersTlsSettings } from './connections.ts';
import { callPeer, type Caller, type PeerAnswer, type PeerCall } from './request.ts';

export interface PeersSettings {
  readonly authentication: BasicAuthentication | undefined;
  readonly tls: PeersTlsSettings;
}

export interface PeersOptions {
  readonly scope: string;
  readonly selfName: string;
  readonly settings: PeersSettings;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface RestPeers extends Peers {
  /** Reads certificates and credentials anew; on a failure the old ones go on. */
  reload(settings: PeersSettings): Promise<Result<void>>;
  close(): Promise<void>;
}

function authorization(login: BasicAuthentication | undefined): string | undefined {
  if (login === undefined) return undefined;
  const text = `${login.username}:${login.password.reveal()}`;
  return `Basic ${Buffer.from(text, 'utf8').toString('base64')}`;
}

async function openCaller(options: PeersOptions, settings: PeersSettings): Promise<Result<Caller>> {
  const connections = await openConnections(settings.tls);
  if (!connections.ok) return connections;
  return ok({
    connections: connections.value,
    authorization: authorization(settings.authentication),
    userAgent: `pgbaton ${encodeURIComponent(options.selfName)}`,
    clock: options.clock,
  });
}

/** What a member said when it did not do as asked. */
function refusal(peer: PeerAddress, answer: PeerAnswer): Result<never> {
  const parsed = parseJsonText(answer.text);
  const document = errorDocument.safeParse(parsed.ok ? parsed.value : undefined);
  const said = document.success ? `: ${document.data.message}` : '';
  const message = `${peer.name} answered ${answer.status}${said}`;
  if (answer.status === 401 || answer.status === 403) {
    return fail(
      'peer-denied',
      message,
      'Give all members the same restapi.authentication, and let them pass restapi.allowlist and verify_client.',
    );
  }
  return fail('peer-refused', message);
}

interface Named {
  readonly scope: string;
  readonly name: string;
}

class HttpPeers implements RestPeers {
  readonly #options: PeersOptions;
  #caller: Caller;

  constructor(options: PeersOptions, caller: Caller) {
    this.#options = options;
    this.#caller = caller;
  }

  report(peer: PeerAddress, timeoutMillis: Millis): Promise<Result<PeerReport>> {
    const call = { peer, method: 'GET', path: '/peer', body: undefined, timeoutMillis } as const;
    return this.#ask(call, peerDocument, [200]);
  }

  async promise(
    peer: PeerAddress,
    request: PromiseRequest,
    timeoutMillis: Millis,
  ): Promise<Result<PromiseReply>> {
    const body = writeJsonText(encodePromiseRequest(request));
    const call = { peer, method: 'POST', path: '/failsafe', body, timeoutMillis } as const;
    const answer = await this.#ask(call, promiseDocument, [200, 409]);
    if (!answer.ok) return answer;
    const said = answer.value;
    if (said.kind === 'refused') return ok({ kind: 'refused', why: said.why });
    if (said.lease_id !== request.leaseId || said.request !== request.request) {
      return fail('unintelligible', `${peer.name} answered another request than the one sent`);
    }
    return ok({
      kind: 'promised',
      name: said.name,
      incarnation: said.incarnation,
      leaseId: said.lease_id,
      request: said.request,
      seenLeaseId: said.seen_lease_id ?? undefined,
      storeSilent: said.store_silent,
    });
  }

  async withdraw(peer: PeerAddress, leaseId: string, timeoutMillis: Millis): Promise<Result<void>> {
    const body = writeJsonText({ scope: this.#options.scope, lease_id: leaseId });
    const call = { peer, method: 'DELETE', path: '/failsafe', body, timeoutMillis } as const;
    const answer = await this.#ask(call, withdrawDocument, [200]);
    return answer.ok ? done : answer;
  }

  async reload(settings: PeersSettings): Promise<Result<void>> {
    const fresh = await openCaller(this.#options, settings);
    if (!fresh.ok) return fresh;
    const old = this.#caller;
    this.#caller = fresh.value;
    // Calls at work on the old connections get their answer.
    old.connections.close().catch((error: unknown) => {
      this.#options.logger.log('debug', 'closing connections to members', { error });
    });
    return done;
  }

  async close(): Promise<void> {
    await this.#caller.connections.destroy();
  }

  /** Calls, checks status and form, and that the member that was meant is the one that answered. */
  async #ask<T extends Named>(
    call: PeerCall,
    schema: z.ZodType<T>,
    statuses: readonly number[],
  ): Promise<Result<T>> {
    const { peer } = call;
    const answer = await callPeer(this.#caller, call);
    if (!answer.ok) return answer;
    if (!statuses.includes(answer.value.status)) return refusal(peer, answer.value);
    const parsed = parseJsonText(answer.value.text);
    const document = schema.safeParse(parsed.ok ? parsed.value : undefined);
    if (document.success) return this.#verified(peer, document.data);
    // 409 is also said to another cluster's members.
    if (answer.value.status !== 200) return refusal(peer, answer.value);
    const problem = parsed.ok ? describeProblem(document.error) : parsed.error.message;
    return fail('unintelligible', `${call.path} of ${peer.name}: ${problem}`);
  }

  #verified<T extends Named>(peer: PeerAddress, said: T): Result<T> {
    const { scope } = this.#options;
    if (said.scope === scope && said.name === peer.name) return ok(said);
    return fail(
      'wrong-peer',
      `${peer.apiUrl} should be ${peer.name} of ${scope}, but is ${said.name} of ${said.scope}`,
      'Correct restapi.connect_address on these members: each must be reached at its own address.',
    );
  }
}

/** The other members over REST. Failure `peer-certificate-unreadable`. */
export async function createPeers(options: PeersOptions): Promise<Result<RestPeers>> {
  const caller = await openCaller(options, options.settings);
  return caller.ok ? ok(new HttpPeers(options, caller.value)) : caller;
}
