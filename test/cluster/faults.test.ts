import { constants } from 'node:os';
import { afterAll, expect, test } from 'vitest';
import { RunDirectory } from '../../src/demo/run-directory.ts';
import { evidenceOf } from '../harness/cluster-log.ts';
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
    let isWhole = false;
    try {
      const outcome = await trials.run({
        faults: [{ fault, afterMillis: 0 }],
        holdMillis: fault.holdMillis.short,
      });
      said.push(describeOutcome(outcome));
      isWhole = true;
      expect(outcome.found).toEqual([]);
    } catch (error) {
      const { run, hosts } = cluster;
      run.keepLogs();
      console.error(
        [...hosts.map(({ member }) => evidenceOf(member)), `logs are kept in ${run.logs}`].join(
          '\n',
        ),
      );
      if (!isWhole) {
        // Nothing that is tried on it from now on could be told from this.
        running = undefined;
        await cluster.close();
      }
      throw error;
    }
  });
}
