import { loadClientSettings } from '../config/resolve.ts';
import type { ClientSettings } from '../config/types.ts';
import type { Result } from '../core/result.ts';
import { configPath } from './config-path.ts';
import type { Environment, SettingsOptions } from './config-path.ts';
import { failed } from './outcome.ts';
import type { CliFailure } from './outcome.ts';

const DEFAULT_CONSUL_PORT = 8500;

interface DcsUrl {
  readonly host: string;
  readonly port: number;
  readonly namespace: string | undefined;
}

/** `consul://host:port/namespace`; port and namespace may be left out, and so may the scheme. */
export function parseDcsUrl(text: string): Result<DcsUrl, CliFailure> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  const url = `http://${text.slice(scheme === undefined ? 0 : scheme.length + 3)}`;
  const hint = 'Write consul://host:port/namespace, for example consul://127.0.0.1:8500/service.';
  if (scheme !== undefined && scheme !== 'consul') {
    return failed(
      'usage',
      `"${scheme}" is no store that pgbaton knows: it works with Consul.`,
      hint,
    );
  }
  if (!URL.canParse(url)) return failed('usage', `"${text}" is no address of a Consul.`, hint);
  const { hostname, port, pathname, username, password } = new URL(url);
  if (hostname === '' || username !== '' || password !== '') {
    return failed('usage', 'The address of Consul must be a host and a port only.', hint);
  }
  const namespace = pathname.replace(/^\/+|\/+$/g, '');
  return {
    ok: true,
    value: {
      host: hostname.replace(/^\[|\]$/g, ''),
      // An http: address does not show its usual port.
      port: port === '' ? portOf(url) : Number(port),
      namespace: namespace === '' ? undefined : namespace,
    },
  };
}

const portOf = (url: string): number =>
  /^http:\/\/[^/]*:80(?:\/|$)/.test(url) ? 80 : DEFAULT_CONSUL_PORT;

async function load(
  path: string | undefined,
  env: Environment,
): Promise<Result<ClientSettings, CliFailure>> {
  const loaded = await loadClientSettings({ path, environment: env });
  if (loaded.ok) return loaded;
  const nothingGiven = loaded.error.problems.every(
    ({ code, origin }) => code === 'config-unreadable' && origin === undefined,
  );
  if (path !== undefined || !nothingGiven) {
    return failed(
      'usage',
      loaded.error.message,
      loaded.error.remedy ?? 'Correct the configuration.',
    );
  }
  // Without any configuration the Consul of this host is as good a guess as any.
  return load(undefined, { ...env, PGBATON_CONSUL_HOST: `127.0.0.1:${DEFAULT_CONSUL_PORT}` });
}

/** What the commands work with: options over environment over file over defaults. */
export async function loadCliSettings(
  options: SettingsOptions,
  env: Environment,
): Promise<Result<ClientSettings, CliFailure>> {
  const settings = await load(configPath(options, env), env);
  if (!settings.ok) return settings;
  const { consul, ctl, namespace, scope } = settings.value;
  const insecure = ctl.insecure || options.insecure === true;
  const dcsUrl = options.dcsUrl ?? env['DCS_URL'];
  if (dcsUrl === undefined || dcsUrl === '') {
    return { ok: true, value: { ...settings.value, ctl: { ...ctl, insecure } } };
  }
  const url = parseDcsUrl(dcsUrl);
  if (!url.ok) return url;
  const { host, port } = url.value;
  return {
    ok: true,
    value: {
      scope,
      namespace: url.value.namespace ?? namespace,
      consul: { ...consul, addresses: [{ host, port }] },
      ctl: { ...ctl, insecure },
    },
  };
}
