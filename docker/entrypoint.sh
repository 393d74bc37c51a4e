#!/bin/bash
# The first program of a container: prepares what only a container needs, and becomes tini, which reaps what
# guardian and PostgreSQL leave behind, and hands the agent its signals.
set -euo pipefail

volume=/var/lib/pgbaton

stop() {
    printf 'Error: %s\nHint: %s\n' "$1" "$2" >&2
    exit "${3:-1}"
}

# Anything but the agent is a command of the command line client: docker run --rm pgbaton:17 version
[ "${1-}" = agent ] || exec pgbaton "$@"

# Sets PGBATON_$1, unless it or Patroni's variable of the same name is set.
default() {
    local own="PGBATON_$1" patroni="PATRONI_$1"
    if [ -z "${!own-}" ] && [ -z "${!patroni-}" ]; then export "$own=$2"; fi
}

# A file of one's own may name them as well, and a variable would go before it.
shopt -s nullglob
files=("$PGBATON_CONFIG_FILE"/*.yml "$PGBATON_CONFIG_FILE"/*.yaml)
if [ "${#files[@]}" = 1 ] && [ "${files[0]}" = /etc/pgbaton/10-image.yml ] \
    && [ -z "${PGBATON_CONFIGURATION-}${PATRONI_CONFIGURATION-}" ]; then
    missing=()
    for name in SCOPE CONSUL_HOST SUPERUSER_PASSWORD REPLICATION_PASSWORD; do
        own="PGBATON_$name" patroni="PATRONI_$name"
        [ -n "${!own-}${!patroni-}" ] || missing+=("$own")
    done
    [ "${#missing[@]}" = 0 ] || stop "not set: ${missing[*]}" \
        "give them with --env, or put a configuration into $PGBATON_CONFIG_FILE (docker/README.md says how)" 2
    # Under which the others reach this one: a host name that stays, as compose and Kubernetes give it.
    default NAME "$HOSTNAME"
    name="${PGBATON_NAME:-$PATRONI_NAME}"
    default POSTGRESQL_CONNECT_ADDRESS "$name:5432"
    default RESTAPI_CONNECT_ADDRESS "$name:8008"
fi

# Started as root, for a folder of the host that belongs to root: nothing but that is done as root.
if [ "$(id -u)" = 0 ]; then
    chown postgres:postgres "$volume"
    export HOME="$volume"
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi
[ -w "$volume" ] || stop "$volume cannot be written by user $(id -u)" \
    "give the volume to that user: chown -R $(id -u):$(id -g)"

# Two containers do not see each other's processes, so neither the agent's own lock nor that of Postgres
# keeps two of them from one volume. This one does: tini holds it, also while the container is paused.
exec 9>>"$volume/.container.lock"
flock --nonblock 9 || stop "another container runs on this volume" \
    "stop it first (docker ps --filter volume=…); every member needs a volume of its own"

found=$(cat "$volume/data/PG_VERSION" 2>/dev/null || true)
[ -z "$found" ] || [ "$found" = "$PG_MAJOR" ] || stop \
    "the volume holds data of PostgreSQL $found, and this image has PostgreSQL $PG_MAJOR" \
    "use the image with PostgreSQL $found; to upgrade, move the data with pg_upgrade or logical replication"

# What Postgres says belongs to the container's output, with what the agent says.
memory="$volume/data.pgbaton"
mkdir -p -m 0700 "$memory"
if [ ! -s "$memory/postgresql.log" ] || [ -L "$memory/postgresql.log" ]; then
    ln -sfn "/proc/$$/fd/1" "$memory/postgresql.log"
fi

exec tini -s -- pgbaton "$@"
