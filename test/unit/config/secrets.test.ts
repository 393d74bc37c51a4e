import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { formatProblem } from '../../../src/config/problem.ts';
import { MINIMAL, problemsOf, sourceOf, writeConfig } from './fixtures.ts';

const WORD = 'hunter2-never-shown';

const SECRET = `${MINIMAL.replace('super-word', WORD)
  .replace('repl-word', WORD)
  .replace(
    'restapi:\n',
    `restapi:\n  authentication: {username: a, password: ${WORD}}\n  keyfile: /k\n  certfile: /c\n  keyfile_password: ${WORD}\n`,
  )
  .replace('consul:\n', `consul:\n  token: ${WORD}\n`)
  .replace(
    'username: postgres\n',
    `username: postgres\n      sslpassword: ${WORD}\n`,
  )}ctl: {authentication: {username: c, password: ${WORD}}}
`;

test('settings show no secret, whoever prints them', async () => {
  const source = await sourceOf(SECRET);
  const shown = [source.current(), source.services()].flatMap((value) => [
    JSON.stringify(value),
    inspect(value, { depth: 20, showHidden: true }),
  ]);
  expect(shown.join('\n')).not.toContain(WORD);
  expect(source.current().postgres.superuser.password?.reveal()).toBe(WORD);
  expect(source.current().postgres.superuser.sslPassword?.reveal()).toBe(WORD);
  expect(source.services().consul.token?.reveal()).toBe(WORD);
  expect(source.services().ctl.authentication?.password.reveal()).toBe(WORD);
});

/** Each puts the word where it is wrong. */
const WRONG: readonly (readonly [what: string, content: string])[] = [
  ['a password that is a list', MINIMAL.replace('super-word', `[${WORD}]`)],
  ['a password that is a mapping', MINIMAL.replace('super-word', `{${WORD}: 1}`)],
  [
    'a section that is its password',
    MINIMAL.replace('consul:\n  host: 127.0.0.1:8500', `consul:\n  token: {a: ${WORD}}`),
  ],
  [
    'a password in an address',
    MINIMAL.replace('host: 127.0.0.1:8500', `url: http://u:${WORD}@h:8500`),
  ],
  [
    'a password in a connection string',
    MINIMAL.replace('listen: 0.0.0.0:5432', `listen: "host=x password=${WORD}"`),
  ],
  ['a syntax error in the line of a password', MINIMAL.replace('super-word', `"${WORD}`)],
  ['a password that begins like an alias', MINIMAL.replace('super-word', `*${WORD}`)],
  ['a password that begins like a tag', MINIMAL.replace('super-word', `!${WORD} x`)],
  ['a password that begins with a reserved character', MINIMAL.replace('super-word', `@${WORD}`)],
  ['a password with a colon', MINIMAL.replace('super-word', `a: ${WORD}`)],
  ['a tab before a password', MINIMAL.replace('      password: super-word', `\tpassword: ${WORD}`)],
];

test.each(WRONG)('an error about %s does not show it', async (_what, content) => {
  const loaded = await loadConfig({ path: writeConfig(content), environment: {} });
  expect(loaded.ok).toBe(false);
  if (loaded.ok) return;
  const { problems, warnings } = loaded.error;
  const shown = [
    ...[...problems, ...warnings].map(formatProblem),
    JSON.stringify(loaded.error),
    inspect(loaded.error, { depth: 20 }),
  ].join('\n');
  expect(shown).not.toContain(WORD);
});

test('a bad value of a secret variable is not shown', async () => {
  const problems = await problemsOf(MINIMAL, {
    PATRONI_CONSUL_URL: `http://u:${WORD}@h`,
    PATRONI_RESTAPI_HTTP_EXTRA_HEADERS: `{a: ${WORD}`,
  });
  expect(problems).toHaveLength(2);
  expect(problems.join('\n')).not.toContain(WORD);
});

test('a dynamic configuration with credentials keeps them out of every answer', async () => {
  const source = await sourceOf(MINIMAL);
  const dynamic = {
    ttl: 'x',
    postgresql: { authentication: { superuser: { username: 'a', password: WORD } } },
  };
  const refused = source.validateDynamic(dynamic);
  const { warnings, bootstrap } = source.applyDynamic(dynamic);
  expect(warnings.join('\n')).toContain('postgresql.authentication');
  expect(JSON.stringify([refused, warnings, bootstrap])).not.toContain(WORD);
});
