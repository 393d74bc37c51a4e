import { join } from 'node:path';
import { exists, syncDirectory, writeDurably } from './durable-files.ts';

export const STANDBY_SIGNAL = 'standby.signal';

/** Durable before it is relied on: a server that starts in this directory comes up as a standby. */
export async function writeStandbySignal(dataDir: string): Promise<void> {
  const path = join(dataDir, STANDBY_SIGNAL);
  if (await exists(path)) {
    await syncDirectory(dataDir);
    return;
  }
  await writeDurably(path, '');
}
