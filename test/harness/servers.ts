import { requireBinaries } from '../../src/demo/provision.ts';
import type { Binaries } from '../../src/demo/binaries.ts';
import type { ConsulOptions, ConsulServers } from '../../src/demo/consul-servers.ts';
import { startConsul } from '../../src/demo/consul-servers.ts';
import { RunDirectory } from '../../src/demo/run-directory.ts';

/** The servers on this machine; a test fails with what is missing and the command that gets it. */
export function binaries(): Binaries {
  const found = requireBinaries(process.env);
  if (found.ok) return found.value;
  throw new Error(`${found.error.message}: ${found.error.remedy ?? ''} (npm test does that)`);
}

export interface TestConsul {
  readonly run: RunDirectory;
  readonly consul: ConsulServers;
  /** Ends the servers and removes their files. */
  readonly close: () => Promise<void>;
}

/** Real Consul servers in a temporary directory: one without ACLs unless told otherwise. */
export async function startTestConsul(
  options: Partial<Omit<ConsulOptions, 'program'>> = {},
): Promise<TestConsul> {
  const run = new RunDirectory('test');
  try {
    const consul = await startConsul(run, {
      servers: 1,
      acl: false,
      ...options,
      program: binaries().consul,
    });
    return {
      run,
      consul,
      close: async () => {
        await consul.stop();
        run.remove();
      },
    };
  } catch (error) {
    run.remove();
    throw error;
  }
}
