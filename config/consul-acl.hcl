# The rights that the members of one cluster need in Consul, and no others. Scope `main` and namespace
# `service` are those of pgbaton.example.yml: put yours in.
#
#   consul acl policy create -name pgbaton-main -rules @consul-acl.hcl
#   consul acl token create -description pgbaton-main -policy-name pgbaton-main
#
# The token goes into `consul: token:` of every member, or into PGBATON_CONSUL_TOKEN. Whatever is
# missing is named in the log of the agent, in the field `remedy`.

# The cluster's keys: <namespace>/<scope>/. Without it the cluster looks empty, because Consul hides what
# may not be read, and nothing can be written.
key_prefix "service/main/" {
  policy = "write"
}

# The catalog node pgbaton-<scope>-<member> that carries a member's session. On the node of the local
# Consul agent the session would end with every restart of that agent.
node_prefix "pgbaton-main-" {
  policy = "write"
}

# The session itself. A scope whose name begins like this one (main-2) is covered, too: with such a pair
# name each member instead, as node "pgbaton-main-node1" and session "pgbaton-main-node1".
session_prefix "pgbaton-main-" {
  policy = "write"
}

# Only with `register_service`: the service that is named after the scope.
service "main" {
  policy = "write"
}
