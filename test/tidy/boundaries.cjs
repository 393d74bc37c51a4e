// Who may import what. The folder is the rule; a change that wants to break one is asking for a port.
const npm = (...names) => names.map((n) => `^node_modules/${n}/`);
const builtin = (...names) => names.map((n) => `^(node:)?${n}$`);

/** Files below `from` may import only what matches `allow`. */
function only(name, from, allow, remedy) {
  return {
    name,
    comment: remedy,
    severity: 'error',
    from: { path: from },
    to: { pathNot: [from, ...allow] },
  };
}

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
      comment: 'Break the cycle: move the shared type down.',
    },
    {
      name: 'src-never-test',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^test/' },
      comment: 'Move it to src.',
    },
    only('core-is-pure', '^src/core/', [], 'core imports only core; pass the fact in.'),
    only('ports-are-interfaces', '^src/ports/', ['^src/core/'], 'ports speak core types only.'),
    only('wire-is-codecs', '^src/wire/', ['^src/core/', ...npm('zod')], 'wire has no I/O.'),
    only(
      'agent-through-ports',
      '^src/agent/',
      ['^src/core/', '^src/ports/'],
      'Reach the world through a port.',
    ),
    only(
      'telemetry',
      '^src/telemetry/',
      [
        '^src/core/',
        '^src/ports/',
        '^src/agent/facade.ts$',
        ...npm('pino', 'pino-pretty', 'prom-client'),
        ...builtin('perf_hooks', 'stream', 'fs/promises', 'path'),
      ],
      'telemetry observes; it does not act.',
    ),
    only(
      'api',
      '^src/api/',
      [
        '^src/core/',
        '^src/wire/',
        '^src/ports/',
        '^src/agent/',
        ...npm('fastify', 'zod'),
        ...builtin('crypto', 'dns/promises', 'net', 'fs', 'fs/promises', 'tls'),
      ],
      'routes stay thin.',
    ),
    only(
      'cli',
      '^src/cli/',
      [
        '^src/core/',
        '^src/wire/',
        '^src/config/',
        ...npm('commander', 'undici', 'yaml', 'consul', 'zod'),
        ...builtin('[a-z_/]+'),
      ],
      'The CLI talks REST and Consul.',
    ),
    only(
      'config',
      '^src/config/',
      [
        '^src/core/',
        '^src/wire/',
        ...npm('yaml', 'zod'),
        // child_process and net: `validate` asks the binaries for their version and tries the ports.
        ...builtin('fs', 'fs/promises', 'path', 'os', 'child_process', 'net'),
      ],
      'config loads and validates only.',
    ),
    only(
      'guardian-stands-alone',
      '^src/guardian/',
      ['^src/core/', ...builtin('[a-z_/]+')],
      'The guardian carries no library.',
    ),
    {
      name: 'adapters-never-each-other',
      severity: 'error',
      comment: 'One port each; what two need belongs into core or wire.',
      from: { path: '^src/adapters/([^/]+)/' },
      to: {
        path: '^src/',
        pathNot: [
          '^src/adapters/$1/',
          '^src/core/',
          '^src/ports/',
          '^src/wire/',
          '^src/guardian/(protocol|fence|freeze|procfs|lock|record|rundir|boottime)',
        ],
      },
    },
    {
      name: 'demo',
      severity: 'error',
      comment: 'The demo drives processes, it is no part of the agent.',
      from: { path: '^src/demo/' },
      to: { path: '^src/(agent|api|adapters|telemetry|guardian)/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^dist/'] },
    enhancedResolveOptions: { conditionNames: ['import', 'require', 'node', 'default'] },
  },
};
