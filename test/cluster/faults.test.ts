import { constants } from 'node:os';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { RunDirectory } from '../../src/demo/run-directory.ts';
import { ChaosCluster } from './chaos-cluster.ts';
import { FAULTS } from './faults/catalogue.ts';
import { PURPOSE, whyNoNamespaces } from './namespaces.ts';
import { provisionHosts } from './provision.ts';
import { describeOutcome } from './report.ts';
import { Trials } from './trial.ts';

/**
 * Each fault once, on one cluster; outages are shorter than in `npm run chaos -- --all`, which is told
 * at the end. Where hosts cannot be made, this is no test: CI has to know, anybody else is told.
 */
await provisionHosts(console.warn);
const why = whyNoNamespaces();
if (why !== undefined && process.env['CI'] === 'true') {
  throw new Error(`the faults on real servers cannot be tried: ${why}`);
}
if (why !== undefined) {
  console.warn(`NOT RUN: faults on real servers, between hosts of their own: ${why}`);
}

interface Running {
  readonly cluster: ChaosCluster;
  readonly trials: Trials;
}

let running: Running | undefined;
const said: string[] = [];

/** The cluster of all faults; a new one after it could not be made whole again. */
async function whole(): Promise<Running> {
  if (running !== undefined) return running;
  const directory = new RunDirectory(PURPOSE, (signal) => {
    directory.remove();
    process.exit(128 + constants.signals[signal]);
  });
  try {
    const cluster = await ChaosCluster.start(directory);
    running = { cluster, trials: new Trials(cluster) };
    return running;
  } catch (error) {
    directory.keepLogs();
    directory.remove();
    throw error;
  }
}

beforeEach(({ onTestFailed }) => {
  onTestFailed(() => {
    running?.cluster.run.keepLogs();
    console.error(`logs are kept in ${running?.cluster.run.logs ?? 'no folder'}`);
  });
});

afterAll(async () => {
  await running?.cluster.close();
  console.warn(
    [
      ...said,
      'Held shorter than by `npm run chaos -- --all`, which takes outages at full length.',
    ].join('\n'),
  );
});

for (const fault of FAULTS) {
  const impossible = why ?? fault.impossible?.();
  if (why === undefined && impossible !== undefined) {
    console.warn(`NOT RUN: ${fault.name}: ${impossible}`);
  }
  test.skipIf(impossible !== undefined)(`${fault.name}: ${fault.what}`, async () => {
    const { cluster, trials } = await whole();
    try {
      const outcome = await trials.run({
        faults: [{ fault, afterMillis: 0 }],
        holdMillis: fault.holdMillis.short,
      });
      said.push(describeOutcome(outcome));
      expect(outcome.found).toEqual([]);
    } catch (error) {
      if (error instanceof Error && error.name !== 'AssertionError') {
        // Not whole any more: nothing that is tried on it could be told from this.
        cluster.run.keepLogs();
        await cluster.close();
        running = undefined;
      }
      throw error;
    }
  });
}
