import { simulate } from './simulate.ts';
import type { Task } from './run-pool.ts';

/** A worker process: runs the seeds that it is sent, one at a time, and ends with its parent. */

const send = (answer: object): void => {
  process.send?.(answer);
};

const describe = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

process.on('message', (task: Task) => {
  const begun = process.cpuUsage();
  simulate(task.seed, { kinds: task.faults, members: task.members, plan: task.plan }).then(
    (outcome) => {
      const { user, system } = process.cpuUsage(begun);
      send({ kind: 'ran', outcome, cpuMillis: (user + system) / 1000 });
    },
    (error: unknown) => {
      send({ kind: 'crashed', why: describe(error) });
    },
  );
});

// A promise of the agent that nobody waits for has failed: a bug, wherever it is.
process.on('unhandledRejection', (error) => {
  send({ kind: 'crashed', why: `unhandled rejection: ${describe(error)}` });
});
process.on('uncaughtException', (error) => {
  send({ kind: 'crashed', why: `uncaught exception: ${describe(error)}` });
});
// Ctrl-C reaches the whole group; the parent prints what there is and ends this.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => {
  process.exit(0);
});
