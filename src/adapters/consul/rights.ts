import type { StoreFailure } from '../../ports/cluster-store.ts';
import type { Logger } from '../../ports/telemetry.ts';

/** What of Consul's ACL a part of the work rests on. The rules are those of config/consul-acl.hcl. */
type Right = 'keys' | 'session';

/** Says once which rule of the ACL is missing, and once more whenever it goes missing again. */
export interface Rights {
  /** After each request: undefined, or why it failed. */
  note(right: Right, failure: StoreFailure | undefined): void;
}

export function createRights(
  names: { readonly prefix: string; readonly nodePrefix: string },
  logger: Logger,
): Rights {
  const write = (rule: string, name: string): string => `${rule} "${name}" { policy = "write" }`;
  const rules: Readonly<Record<Right, string>> = {
    keys: write('key_prefix', names.prefix),
    session: [
      write('node_prefix', names.nodePrefix),
      write('session_prefix', names.nodePrefix),
    ].join(' and '),
  };
  const missing = new Set<Right>();
  return {
    note: (right, failure) => {
      if (failure === undefined) missing.delete(right);
      if (failure?.code !== 'forbidden' || missing.has(right)) return;
      missing.add(right);
      logger.log('error', 'Consul forbids what this member needs', {
        reason: failure.message,
        remedy: `grant the token ${rules[right]}, as config/consul-acl.hcl does`,
      });
    },
  };
}
