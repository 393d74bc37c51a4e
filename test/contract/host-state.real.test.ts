import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHostState } from '../../src/adapters/system/host-state.ts';
import { hostStateContract } from './host-state-contract.ts';

hostStateContract('state.json', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pgbaton-host-state-'));
  return {
    connect: () => createHostState(folder),
    // Where the new file would be written there is a directory: no user can write it, root included.
    fillDisk: async () => {
      await mkdir(join(folder, 'state.json.new'));
    },
    answer: (call) => call,
    close: async () => {
      await rm(folder, { recursive: true, force: true });
    },
  };
});
