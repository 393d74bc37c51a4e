// What has to be said of everything that is in the package: whose it is, and under which licence.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../demo/prepare.mjs';

const NODE_LICENCES = [
  join(process.execPath, '../../LICENSE'),
  '/usr/share/doc/nodejs/LICENSE',
  join(process.execPath, '../../share/doc/node/LICENSE'),
];

/** Folders of the dependencies among bundled files, each once: node_modules/a/node_modules/b is b. */
function packagesOf(inputs) {
  const folders = inputs.flatMap((path) => {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path);
    return match === null ? [] : [match[1]];
  });
  return [...new Set(folders)].toSorted((a, b) => a.localeCompare(b, 'en'));
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(
    readFileSync(join(repository, folder, 'package.json'), 'utf8'),
  );
  const file = readdirSync(join(repository, folder)).find((entry) =>
    /^(licen[cs]e|copying)(\.(md|txt|markdown))?$/i.test(entry),
  );
  if (typeof license !== 'string' && file === undefined) {
    throw new Error(`${folder} says nothing of its licence: it cannot be distributed`);
  }
  const text =
    file === undefined
      ? `Licence: ${license}, as its package.json says; it brings no text of it.`
      : readFileSync(join(repository, folder, file), 'utf8').trim();
  return section(`${name} ${version}`, text);
}

function section(title, text) {
  return `${title}\n${'='.repeat(title.length)}\n\n${text.replaceAll('\r', '')}\n`;
}

function nodeLicence() {
  const path = NODE_LICENCES.find((candidate) => existsSync(candidate));
  if (path === undefined) {
    throw new Error(
      `the licence of Node is not beside ${process.execPath}, and has to go into the package with it: ` +
        'build with Node as its own archive or the distribution installs it',
    );
  }
  return section(
    `Node.js ${process.versions.node} (/usr/lib/pgbaton/node)`,
    readFileSync(path, 'utf8').trim(),
  );
}

/** `inputs`: the files that were bundled. */
export function copyright(inputs, withNode) {
  return [
    section(
      'pgbaton',
      'Licence: Apache-2.0. On Debian systems its text is in /usr/share/common-licenses/Apache-2.0.\n\n' +
        'The programs in /usr/lib/pgbaton/dist contain what follows.',
    ),
    ...packagesOf(inputs).map(licenceOf),
    ...(withNode ? [nodeLicence()] : []),
  ].join('\n\n');
}
