import { stat } from 'node:fs/promises';
import { becomePostgresUser } from '../harness/postgres-privileges.ts';
import { TestCluster, expectOk } from '../harness/postgres-server.ts';
import { postgresContract } from './postgres-contract.ts';

const owner = await stat('/var/lib/postgresql');
becomePostgresUser(owner).close();

postgresContract('PostgreSQL', async () => {
  const cluster = await TestCluster.create();
  return {
    server: async (name) => {
      const member = await cluster.member(name);
      return {
        postgres: member.postgres,
        upstream: () => member.upstream(),
        launch: async (target) =>
          member.launch(expectOk(await member.postgres.prepareStart(target))),
        stop: () => member.stop('SIGINT'),
        kill: () => member.stop('SIGKILL'),
      };
    },
    answer: (call) => call,
    moment: () =>
      new Promise((resolve) => {
        setTimeout(resolve, 10);
      }),
    close: () => cluster.close(),
  };
});
