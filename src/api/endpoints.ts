/** Every path the API answers, what it takes and means. Routes are made from this table alone. */

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The checks that answer 200 or 503 from the state of this member. */
export type HealthCheck =
  | 'primary'
  | 'leader'
  | 'standby-leader'
  | 'replica'
  | 'read-only'
  | 'sync'
  | 'quorum'
  | 'read-only-sync'
  | 'read-only-quorum'
  | 'async'
  | 'health'
  | 'liveness'
  | 'readiness';

export type EndpointId =
  | HealthCheck
  | 'patroni'
  | 'cluster'
  | 'history'
  | 'config'
  | 'patch-config'
  | 'replace-config'
  | 'metrics'
  | 'explain'
  | 'peer'
  | 'failsafe'
  | 'promise'
  | 'withdraw'
  | 'switchover'
  | 'cancel-switchover'
  | 'failover'
  | 'abandon'
  | 'cancel-failover'
  | 'restart'
  | 'cancel-restart'
  | 'reload'
  | 'reinitialize';

export interface Endpoint {
  readonly id: EndpointId;
  /** The first is the name, the others are aliases. */
  readonly paths: readonly string[];
  /** GET implies HEAD and OPTIONS, which answer the same without a body. */
  readonly method: Method;
  /** Unsafe ones need what `restapi` configures: allowlist, client certificate, credentials. */
  readonly unsafe: boolean;
  readonly meaning: string;
}

const get = (id: EndpointId, paths: readonly string[], meaning: string): Endpoint => ({
  id,
  paths,
  method: 'GET',
  unsafe: false,
  meaning,
});

const command = (
  id: EndpointId,
  method: Exclude<Method, 'GET'>,
  path: string,
  meaning: string,
): Endpoint => ({ id, paths: [path], method, unsafe: true, meaning });

const NOTHING_SCHEDULED =
  'Nothing is scheduled yet: 404; 503 where Patroni has scheduled a switchover';

export const ENDPOINTS: readonly Endpoint[] = [
  get(
    'primary',
    ['/primary', '/', '/master', '/read-write'],
    '200 while this member accepts writes under a valid lease',
  ),
  get('leader', ['/leader'], '200 while this member holds a valid lease'),
  get(
    'standby-leader',
    ['/standby-leader', '/standby_leader'],
    '200 on the leader of a standby cluster',
  ),
  get(
    'replica',
    ['/replica'],
    '200 on a running standby without `noloadbalance`; filters `lag`, `replication_state`, `tag_<key>`',
  ),
  get('read-only', ['/read-only'], '200 on the primary and wherever /replica is'),
  get('sync', ['/sync', '/synchronous'], '200 on a synchronous standby'),
  get('quorum', ['/quorum'], '200 on a standby of the commit quorum'),
  get(
    'read-only-sync',
    ['/read-only-sync', '/read-only-synchronous'],
    '200 on the primary and wherever /sync is',
  ),
  get('read-only-quorum', ['/read-only-quorum'], '200 on the primary and wherever /quorum is'),
  get('async', ['/async', '/asynchronous'], '200 on a standby that is neither sync nor quorum'),
  get('health', ['/health'], '200 while Postgres is running'),
  get('liveness', ['/liveness'], '200 while the agent makes progress'),
  get(
    'readiness',
    ['/readiness'],
    '200 on the leader and on a standby that streams within `lag`; `mode` apply or write',
  ),
  get('patroni', ['/patroni'], 'Status of this member'),
  get('cluster', ['/cluster'], 'All members as Consul knows them, with their lag'),
  get('history', ['/history'], 'Past failovers: timeline, position, reason, time, new leader'),
  get('config', ['/config'], 'The dynamic configuration'),
  get('metrics', ['/metrics'], 'Metrics for Prometheus'),
  get('explain', ['/explain'], 'The last decision: rule, reason, what is waited for, candidates'),
  get('peer', ['/peer'], 'What the other agents ask before they take over'),
  get('failsafe', ['/failsafe'], 'Members that must agree while Consul does not answer'),
  command('patch-config', 'PATCH', '/config', 'Merges into the dynamic configuration'),
  command('replace-config', 'PUT', '/config', 'Replaces the dynamic configuration'),
  command('switchover', 'POST', '/switchover', 'Hands over to a healthy member, without loss'),
  command('cancel-switchover', 'DELETE', '/switchover', NOTHING_SCHEDULED),
  command('failover', 'POST', '/failover', 'Fails over to the named member'),
  command(
    'abandon',
    'POST',
    '/abandon',
    'Gives up a paused lease; `holder_is_down` says that Postgres of its holder is down',
  ),
  command('cancel-failover', 'DELETE', '/failover', NOTHING_SCHEDULED),
  command('restart', 'POST', '/restart', 'Restarts Postgres'),
  command('cancel-restart', 'DELETE', '/restart', 'Nothing is scheduled yet: 404'),
  command('reload', 'POST', '/reload', 'Reads the local configuration again'),
  command('reinitialize', 'POST', '/reinitialize', 'Clones this standby anew'),
  command('promise', 'POST', '/failsafe', 'The leader asks for the promise not to take over'),
  command('withdraw', 'DELETE', '/failsafe', 'The leader gives a promise back'),
];

/** Methods that a path takes, for the answer to a wrong one; empty when there is no such path. */
export function methodsOf(path: string): readonly string[] {
  const plain = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  const methods = ENDPOINTS.filter((endpoint) => endpoint.paths.includes(plain)).map(
    (endpoint) => endpoint.method,
  );
  return methods.includes('GET') ? [...methods, 'HEAD', 'OPTIONS'] : methods;
}
