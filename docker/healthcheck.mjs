// HEALTHCHECK of the image: does the agent make progress? Whether Postgres takes writes or reads is
// another question, and a container is no better after a restart because of it: ask /primary, /replica.
import { request as plain } from 'node:http';
import { request as encrypted } from 'node:https';

const TIMEOUT_MILLIS = 4000;

const listen = process.env.PGBATON_RESTAPI_LISTEN ?? process.env.PATRONI_RESTAPI_LISTEN ?? '';
const port = Number(/:(\d+)$/.exec(listen)?.[1] ?? 8008);

function ask(request) {
  return new Promise((resolve) => {
    const asked = request(
      // To itself: whose certificate it is needs no proof.
      { host: '127.0.0.1', port, path: '/liveness', rejectUnauthorized: false },
      (answer) => {
        answer.resume();
        resolve({ status: answer.statusCode });
      },
    );
    asked.setTimeout(TIMEOUT_MILLIS, () => asked.destroy(new Error('no answer')));
    asked.once('error', (error) => resolve({ error }));
    asked.end();
  });
}

/** HTTP, or HTTPS where the API has a certificate. */
async function check() {
  const first = await ask(plain);
  const answer =
    first.error?.code === 'ECONNREFUSED' || first.status ? first : await ask(encrypted);
  // An API that wants a certificate of its clients has said so itself, hence it lives.
  if (/certificate required/.test(answer.error?.message ?? '')) return { status: 200 };
  return answer;
}

const { status, error } = await check();
console.log(error === undefined ? `GET /liveness: ${status}` : `GET /liveness: ${error.message}`);
process.exit(status === 200 ? 0 : 1);
