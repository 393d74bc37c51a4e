import { describe, expect, it } from 'vitest';
import { chooseArchive, parseDeb822Sources, parseSourcesList } from '../../../src/demo/debian.ts';

const DEB822 = `Types: deb
# a comment inside
URIs: http://archive.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/archive.gpg

Types: deb
URIs: http://archive.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/archive.gpg

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://embedded.example/
Suites: stable
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
`;

const ONE_LINE = `# deb http://commented.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/vendor.gpg] https://vendor.example/apt stable main
deb http://archive.example/debian bookworm main contrib
`;

describe('the sources of apt', () => {
  it('reads deb822 stanzas, without the disabled ones and without embedded keys as paths', () => {
    expect(parseDeb822Sources(DEB822)).toEqual([
      {
        uri: 'http://archive.example/debian',
        suites: ['bookworm', 'bookworm-updates'],
        components: ['main'],
        signedBy: '/usr/share/keyrings/archive.gpg',
      },
      {
        uri: 'http://archive.example/debian-security',
        suites: ['bookworm-security'],
        components: ['main'],
        signedBy: '/usr/share/keyrings/archive.gpg',
      },
      {
        uri: 'http://embedded.example/',
        suites: ['stable'],
        components: ['main'],
        signedBy: undefined,
      },
    ]);
  });

  it('reads one-line lists with and without options', () => {
    expect(parseSourcesList(ONE_LINE)).toEqual([
      {
        uri: 'https://vendor.example/apt',
        suites: ['stable'],
        components: ['main'],
        signedBy: '/usr/share/keyrings/vendor.gpg',
      },
      {
        uri: 'http://archive.example/debian',
        suites: ['bookworm'],
        components: ['main', 'contrib'],
        signedBy: undefined,
      },
    ]);
  });

  it("takes the distribution's own archive, never the security one or a vendor's", () => {
    const archives = [...parseSourcesList(ONE_LINE), ...parseDeb822Sources(DEB822)];
    expect(chooseArchive(archives, 'bookworm')?.uri).toBe('http://archive.example/debian');
    expect(chooseArchive(archives, 'trixie')).toBeUndefined();
  });
});
