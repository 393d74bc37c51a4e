import { defineConfig } from 'vitest/config';

// One project per question; README.md beside this file says which suite answers which.
function project(name: string, include: string[], extra: object = {}) {
  return { test: { name, include, root: new URL('..', import.meta.url).pathname, ...extra } };
}

/** Milliseconds each on an idle machine: the bound is for what hangs, not for a machine that is slow. */
const here = { testTimeout: 60_000, hookTimeout: 60_000 };
/** Real servers: one file at a time on two cores, and bounds for a stuck machine, not for speed. */
const realServers = { testTimeout: 240_000, hookTimeout: 240_000, fileParallelism: false };

export default defineConfig({
  test: {
    projects: [
      project('core', ['test/core/**/*.test.ts', 'test/scenarios/**/*.test.ts'], here),
      project('unit', ['test/unit/**/*.test.ts'], here),
      project('contract-fakes', ['test/contract/**/*.fake.test.ts'], here),
      project('sim', ['test/sim/**/*.test.ts'], { ...here, testTimeout: 300_000 }),
      project('tidy', ['test/tidy/**/*.test.ts'], here),
      project('contract', ['test/contract/**/*.real.test.ts'], realServers),
      project('integration', ['test/integration/**/*.test.ts'], realServers),
      project('cluster', ['test/cluster/**/*.test.ts'], realServers),
      project('docker', ['test/docker/**/*.test.ts'], {
        ...realServers,
        globalSetup: 'test/docker/setup.ts',
      }),
    ],
  },
});
