import { createAllowlist } from '../../../src/api/allowlist.ts';
import { createHandlers } from '../../../src/api/handlers.ts';
import { createServer } from '../../../src/api/server.ts';
import type { RestApiSettings } from '../../../src/core/service-settings.ts';
import { createFakeAgent, recordingLogger, REST, type FakeAgent } from './fake-agent.ts';

/** The server without a socket: `inject` asks it. */
export function createTestServer(
  agent: FakeAgent = createFakeAgent(),
  settings: Partial<RestApiSettings> = {},
) {
  const rest = { ...REST, ...settings };
  const logger = recordingLogger();
  const app = createServer({
    handlers: createHandlers(agent, { text: () => Promise.resolve('# HELP x\n') }),
    policies: () => ({
      settings: rest,
      allowlist: createAllowlist({
        entries: rest.allowlist,
        includeMembers: rest.allowlistIncludeMembers,
        memberUrls: () => (agent.record?.record.members ?? []).map((member) => member.key.apiUrl),
        resolve: (host) =>
          host === 'lb.example' ? Promise.resolve(['10.1.1.1']) : Promise.reject(new Error('none')),
      }),
    }),
    version: '0.1.0',
    tls: undefined,
    logger,
  });
  return { app, agent, logger };
}
