import type { CommandDocument } from '../wire/rest/commands.ts';
import { writeJsonText, type JsonWritable } from '../wire/rest/json-text.ts';

/** A request as handlers see it: no socket, no framework. */
export interface Call {
  /** Value of the first parameter of that name. */
  readonly query: ReadonlyMap<string, string>;
  readonly body: string;
  /** The caller asked for `application/json`: commands answer with details instead of plain text. */
  readonly wantsJson: boolean;
}

export interface Reply {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type Handler = (call: Call) => Reply | Promise<Reply>;

const NO_HEADERS = {};

export const json = (
  status: number,
  document: JsonWritable,
  headers: Readonly<Record<string, string>> = NO_HEADERS,
): Reply => ({
  status,
  contentType: 'application/json; charset=utf-8',
  body: writeJsonText(document),
  headers,
});

const text = (status: number, message: string): Reply => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  body: message,
  headers: NO_HEADERS,
});

export const statusOnly = (status: number): Reply => ({
  status,
  contentType: undefined,
  body: '',
  headers: NO_HEADERS,
});

/** Nothing of the request could be used, or nothing can be answered now. */
export const error = (status: number, code: string, message: string): Reply =>
  json(status, { error: code, message });

/** Outcome of a command: text for those who know Patroni, a document for those who ask for one. */
export const outcome = (call: Call, status: number, document: CommandDocument): Reply =>
  call.wantsJson ? json(status, document) : text(status, document.message);
