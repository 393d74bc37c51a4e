import { readFileSync } from 'node:fs';
import { Secret } from '../../src/core/secret.ts';
import type { ConsulServers } from '../../src/demo/consul-servers.ts';

async function put(consul: ConsulServers, path: string, body: object): Promise<string> {
  const answer = await consul.request(path, { method: 'PUT', body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status} ${text}`);
  return text;
}

/** A token with one policy; `secret`: what it is to be, for configurations that are written before. */
export async function createToken(
  consul: ConsulServers,
  name: string,
  rules: string,
  secret?: string,
): Promise<Secret> {
  await put(consul, '/v1/acl/policy', { Name: name, Rules: rules });
  const created = await put(consul, '/v1/acl/token', {
    Policies: [{ Name: name }],
    ...(secret === undefined ? {} : { SecretID: secret }),
  });
  return new Secret((JSON.parse(created) as { SecretID: string }).SecretID);
}

/** The rules of config/consul-acl.hcl for another scope, each as its text. */
export function shippedRules(scope: string): readonly string[] {
  const text = readFileSync(new URL('../../config/consul-acl.hcl', import.meta.url), 'utf8');
  const rules = text.match(/^\w+ "[^"]*" \{[^}]*\}/gm) ?? [];
  return rules.map((rule) => rule.replace(/\bmain\b/, scope));
}
