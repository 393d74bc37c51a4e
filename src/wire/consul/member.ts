import { z } from 'zod';
import type { MemberKey } from '../../core/cluster.ts';
import { err } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { checkSchema, objectField, optionalLsn, optionalText, remembered } from './codec.ts';
import { encodeJson, parseJson } from './json.ts';

const optionalFlag = z.boolean().optional().catch(undefined);

/** Patroni's member document. One odd optional field must not hide a member that answers otherwise. */
const memberSchema = z.object({
  conn_url: z.string().catch(''),
  api_url: z.string().catch(''),
  state: z.string().catch('unknown'),
  role: z.string().catch('uninitialized'),
  version: z.string().catch(''),
  proxy_url: optionalText,
  tags: objectField.optional().catch(undefined),
  timeline: z.int().optional().catch(undefined),
  xlog_location: optionalLsn,
  receive_lsn: optionalLsn,
  replay_lsn: optionalLsn,
  replication_state: optionalText,
  pending_restart: optionalFlag,
  pending_restart_reason: objectField.optional().catch(undefined),
  checkpoint_after_promote: optionalFlag,
  pause: optionalFlag,
  honours_reach: optionalFlag,
});

/** Patroni wrote `master` before version 4. */
const readRole = (role: string): string => (role === 'master' ? 'primary' : role);

const decodeValue = remembered((text) => {
  const parsed = parseJson(text);
  return parsed.ok ? checkSchema(memberSchema, parsed.value) : parsed;
});

/** Value of `members/<name>`; the name is the key's, not the value's. */
export function decodeMember(name: string, text: string): Result<MemberKey, string> {
  const checked = decodeValue(text);
  if (!checked.ok) return err(checked.error);
  const value = checked.value;
  return {
    ok: true,
    value: {
      name,
      connUrl: value.conn_url,
      apiUrl: value.api_url,
      state: value.state,
      role: readRole(value.role),
      version: value.version,
      proxyUrl: value.proxy_url,
      timeline: value.timeline,
      xlogLocation: value.xlog_location,
      receiveLsn: value.receive_lsn,
      replayLsn: value.replay_lsn,
      replicationState: value.replication_state,
      tags: value.tags,
      pendingRestart: value.pending_restart,
      pendingRestartReason: value.pending_restart_reason,
      checkpointAfterPromote: value.checkpoint_after_promote,
      pause: value.pause,
      honoursReach: value.honours_reach,
    },
  };
}

/** In the order of Patroni's own documents, which people read. */
export function encodeMember(member: MemberKey): string {
  return encodeJson({
    conn_url: member.connUrl,
    api_url: member.apiUrl,
    state: member.state,
    role: member.role,
    version: member.version,
    proxy_url: member.proxyUrl,
    tags: member.tags,
    pending_restart: member.pendingRestart,
    pending_restart_reason: member.pendingRestartReason,
    checkpoint_after_promote: member.checkpointAfterPromote,
    xlog_location: member.xlogLocation,
    receive_lsn: member.receiveLsn,
    replay_lsn: member.replayLsn,
    replication_state: member.replicationState,
    timeline: member.timeline,
    pause: member.pause,
    honours_reach: member.honoursReach,
  });
}

/**
 * A member whose value nobody can read is still a member: it is listed, with nothing known of it
 * and no address to ask.
 */
export const unreadableMember = (name: string): MemberKey => ({
  name,
  connUrl: '',
  apiUrl: '',
  state: 'unknown',
  role: 'uninitialized',
  version: '',
});
