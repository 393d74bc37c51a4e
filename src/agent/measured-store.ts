import { since } from '../core/time.ts';
import type { Clock } from '../ports/clock.ts';
import type { ClusterStore, StoreFailure } from '../ports/cluster-store.ts';
import type { Meter } from '../ports/telemetry.ts';

/** The store, with each request timed and each failure counted. Watches are left out: they wait by design. */
export function measuredStore(store: ClusterStore, clock: Clock, meter: Meter): ClusterStore {
  async function timed<T extends { readonly kind: string; readonly failure?: StoreFailure }>(
    operation: string,
    request: () => Promise<T>,
  ): Promise<T> {
    const begun = clock.now();
    const answer = await request();
    meter.observe('store_request_seconds', since(begun, clock.now()), { operation });
    if (answer.failure !== undefined)
      meter.count('store_errors_total', { code: answer.failure.code });
    return answer;
  }
  return {
    read: async (timeoutMillis) => timed('read', async () => store.read(timeoutMillis)),
    watch: async (index, waitMillis, signal) => store.watch(index, waitMillis, signal),
    commit: async (write, timeoutMillis) =>
      timed('commit', async () => store.commit(write, timeoutMillis)),
    openSession: async (timeoutMillis) =>
      timed('open_session', async () => store.openSession(timeoutMillis)),
    renewSession: async (session, timeoutMillis) =>
      timed('renew_session', async () => store.renewSession(session, timeoutMillis)),
    closeSession: async (session, timeoutMillis) => store.closeSession(session, timeoutMillis),
  };
}
