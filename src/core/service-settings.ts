import type { Secret } from './secret.ts';
import type { Millis } from './time.ts';

/** A user name with its password, for HTTP basic authentication. */
export interface BasicAuthentication {
  readonly username: string;
  readonly password: Secret;
}

/** How the REST API listens and whom it lets in. Read again on reload; `listen` and files rebind. */
export interface RestApiSettings {
  readonly listenHost: string;
  readonly listenPort: number;
  /** `host:port` as other members reach it; IPv6 in brackets. */
  readonly connectAddress: string;
  /** Needed by the unsafe methods; undefined leaves them open. */
  readonly authentication: BasicAuthentication | undefined;
  /** PEM file; present means HTTPS. May hold the key, too. */
  readonly certfile: string | undefined;
  readonly keyfile: string | undefined;
  readonly keyfilePassword: Secret | undefined;
  readonly cafile: string | undefined;
  /** OpenSSL cipher list. */
  readonly ciphers: string | undefined;
  /** Client certificates: `required` for all requests, `optional` for the unsafe ones. */
  readonly verifyClient: 'none' | 'optional' | 'required';
  /** Addresses, networks and host names that may use the unsafe methods; empty lets all. */
  readonly allowlist: readonly string[];
  readonly allowlistIncludeMembers: boolean;
  /** Headers added to every answer: the `http_` ones, under HTTPS with the `https_` ones over them. */
  readonly extraHeaders: Readonly<Record<string, string>>;
  /** How much the `Server` header says. */
  readonly serverTokens: 'original' | 'productonly' | 'minimal';
}

export interface ConsulAddress {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface ConsulSettings {
  /** At least one; the next is tried when one does not answer. */
  readonly addresses: readonly ConsulAddress[];
  readonly scheme: 'http' | 'https';
  readonly token: Secret | undefined;
  /** Whether the server's certificate is verified. */
  readonly verify: boolean;
  /** PEM files. */
  readonly cacert: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly datacenter: string | undefined;
  /** Only for reads that inform; decisions are always read consistently. */
  readonly consistency: 'default' | 'consistent' | 'stale';
  /** Further health checks that the session depends on. */
  readonly checks: readonly string[];
  readonly registerService: boolean;
  readonly serviceTags: readonly string[];
  readonly serviceCheckIntervalMillis: Millis;
  readonly serviceCheckTlsServerName: string | undefined;
}

export interface LogSettings {
  /** Undefined: lines for people on a terminal, else JSON. */
  readonly type: 'plain' | 'json' | undefined;
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  readonly staticFields: Readonly<Record<string, string>>;
  /** Directory for `pgbaton.log`; undefined: the standard output. */
  readonly dir: string | undefined;
  /** Permission bits of the log file. */
  readonly fileMode: number | undefined;
  readonly fileCount: number;
  readonly fileSizeBytes: number;
  /** Largest size of each of the two files of the journal of decisions; 0: it is not kept. */
  readonly journalSizeBytes: number;
  readonly deduplicateHeartbeats: boolean;
}

/** How the command line client reaches the REST API; each falls back to the one of `restapi`. */
export interface CtlSettings {
  readonly authentication: BasicAuthentication | undefined;
  /** Do not verify the certificates of members. */
  readonly insecure: boolean;
  readonly cacert: string | undefined;
  readonly certfile: string | undefined;
  readonly keyfile: string | undefined;
  readonly keyfilePassword: Secret | undefined;
}
