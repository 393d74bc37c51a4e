// What is installed where. Every file is held in memory: the largest is Node, where it is taken along.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { repository } from '../demo/prepare.mjs';
import { copyright } from './copyright.mjs';
import { manual } from './man.mjs';

const LIBRARY = 'usr/lib/pgbaton';
const DOCUMENTS = 'usr/share/doc/pgbaton';
const SHARED = 'usr/share/pgbaton';

const read = (path) => readFileSync(join(repository, path));
const text = (path, content) => ({ path, content: Buffer.from(content), mode: 0o644 });
const copy = (path, source) => ({ path, content: read(source), mode: 0o644 });
const compressed = (path, content) => ({
  path,
  content: gzipSync(content, { level: 9 }),
  mode: 0o644,
});

/** Throws where the text is not there: a package must not silently lack what was to be replaced. */
function replace(content, from, to) {
  if (!content.includes(from)) throw new Error(`expected "${from}" in a file that is packaged`);
  return content.replace(from, to);
}

/** The unit, which names the program of the package and no other one in the PATH. */
function unit() {
  const named = replace(
    read('config/pgbaton.service').toString(),
    'ExecStart=/usr/bin/env pgbaton ',
    'ExecStart=/usr/bin/pgbaton ',
  );
  const plain = replace(named, /^# Copy to .*\n/.exec(named)?.[0] ?? '# Copy to', '');
  return replace(plain, '[Unit]\n', '[Unit]\nDocumentation=man:pgbaton(1)\n');
}

/** Examples name the schema where it is installed: they are copied elsewhere. */
function examples() {
  return readdirSync(join(repository, 'config'))
    .filter((name) => name.endsWith('.example.yml'))
    .toSorted()
    .map((name) =>
      text(
        `${DOCUMENTS}/examples/${name}`,
        replace(
          read(`config/${name}`).toString(),
          '$schema=./pgbaton.schema.json',
          `$schema=/${SHARED}/pgbaton.schema.json`,
        ),
      ),
    );
}

/** `bundled`: the folder of the bundles; `inputs`: the files that are in them. */
export function installedFiles({ bundled, inputs, manifest, withNode }) {
  const { name, version, license, type } = manifest;
  const node = withNode ? `/${LIBRARY}/node` : '/usr/bin/node';
  const programs = ['cli.js', 'guardian/main.js'].map((path) => ({
    path: `${LIBRARY}/dist/${path}`,
    content: readFileSync(join(bundled, 'dist', path)),
    mode: 0o644,
  }));
  const dashboards = readdirSync(join(repository, 'dashboards')).toSorted();
  // Where the program looks for its version, also while it writes the manual.
  const about = JSON.stringify({ name, version, license, type });
  return [
    ...programs,
    text(`${LIBRARY}/package.json`, `${about}\n`),
    ...(withNode
      ? [{ path: `${LIBRARY}/node`, content: readFileSync(process.execPath), mode: 0o755 }]
      : []),
    {
      path: 'usr/bin/pgbaton',
      content: Buffer.from(`#!/bin/sh\nexec ${node} /${LIBRARY}/dist/cli.js "$@"\n`),
      mode: 0o755,
    },
    text('usr/lib/systemd/system/pgbaton.service', unit()),
    copy('usr/lib/sysusers.d/pgbaton.conf', 'config/pgbaton.sysusers'),
    copy('usr/lib/tmpfiles.d/pgbaton.conf', 'config/pgbaton.tmpfiles'),
    copy(`${SHARED}/pgbaton.schema.json`, 'config/pgbaton.schema.json'),
    ...dashboards.map((file) => copy(`${SHARED}/dashboards/${file}`, `dashboards/${file}`)),
    ...examples(),
    ...['consul-acl.hcl', 'haproxy.cfg'].map((file) =>
      copy(`${DOCUMENTS}/examples/${file}`, `config/${file}`),
    ),
    compressed(`${DOCUMENTS}/README.md.gz`, read('README.md')),
    compressed('usr/share/man/man1/pgbaton.1.gz', manual(join(bundled, 'dist/cli.js'), version)),
    text(`${DOCUMENTS}/copyright`, copyright(inputs, withNode)),
  ];
}
