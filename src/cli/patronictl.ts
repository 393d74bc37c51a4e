/** Commands of patronictl that are none here, and what does the same. README's table is made from this. */
export const PATRONICTL_ONLY = [
  {
    name: 'flush',
    instead: 'nothing is ever scheduled here; what Patroni has left goes with the key `failover`',
    hint: 'Agents of pgbaton schedule nothing. A switchover that Patroni has scheduled: consul kv delete NAMESPACE/CLUSTER/failover',
  },
  {
    name: 'remove',
    instead: 'stop all agents, then `consul kv delete -recurse NAMESPACE/CLUSTER/`',
    hint: 'Stop all agents of the cluster, then: consul kv delete -recurse NAMESPACE/CLUSTER/',
  },
  {
    name: 'query',
    instead: '`psql "$(pgbaton dsn) dbname=postgres user=postgres" -c …`',
    hint: 'Use psql: psql "$(pgbaton dsn) dbname=postgres user=postgres" -c "select 1"',
  },
  {
    name: 'demote-cluster',
    instead: 'standby clusters are not there yet',
    hint: 'Standby clusters are not there yet: standby_cluster is accepted, and nothing acts on it.',
  },
  {
    name: 'promote-cluster',
    instead: 'standby clusters are not there yet',
    hint: 'Standby clusters are not there yet: standby_cluster is accepted, and nothing acts on it.',
  },
] as const;
