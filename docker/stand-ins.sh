#!/bin/bash
# Makes the images that Dockerfile and compose.yaml name out of Debian's archive, for a machine that reaches
# no registry (continuous integration, a closed network). Whatever is there or can be pulled is left as it is.
#
#   docker/stand-ins.sh            # all of them; as root, on Debian
#
# A stand-in has the name of the original, starts in the same way, and may be of another version. It is
# labelled: docker images --filter label=pgbaton.stand-in
# What takes longest, the base, is kept in .cache/docker.
set -euo pipefail

base=debian:trixie-slim
node=node:22-trixie-slim
consul=hashicorp/consul:1.20
haproxy=haproxy:3.0
prometheus=prom/prometheus:v2.53.3
suite=trixie
# PostgreSQL 15 and 13: what the newest suite has not comes from the ones before.
older=(bookworm bullseye)

cd "$(dirname "$0")/.."
cache=.cache/docker
docker info >/dev/null 2>&1 || { echo 'Error: no Docker Engine answers; start it, or set DOCKER_HOST' >&2; exit 1; }
label='--change=LABEL pgbaton.stand-in=debian'
work=

say() { printf -- '- %s\n' "$*"; }
stop() { printf 'Error: %s\nHint: %s\n' "$1" "$2" >&2; exit 1; }
trap '[ -z "$work" ] || rm -rf "$work"' EXIT

there() { docker image inspect "$1" >/dev/null 2>&1; }

# One registry that cannot be reached is enough to know of all of them.
registry=unknown
pull() {
    [ "$registry" != none ] || return 1
    local said
    if said=$(timeout "${PULL_SECONDS:-60}" docker pull --quiet "$1" 2>&1); then return 0; fi
    say "$1 cannot be pulled: ${said##*$'\n'}"
    registry=none
    return 1
}

# The archive that this machine's own apt uses for its own suite.
archive() {
    local codename
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
    apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' \
        | awk -v suite="$codename" '$2 == suite && $3 == "main" && !found { print $1; found = 1 }'
}

make_base() {
    local site list=() tar="$cache/${base/:/-}.tar"
    if [ -s "$tar" ]; then
        say "$base: from $tar"
    else
        [ "$(id -u)" = 0 ] || stop "$base is made by root only" 'run this as root'
        command -v mmdebstrap >/dev/null || stop 'mmdebstrap is missing' 'apt-get install mmdebstrap'
        site=$(archive)
        if [ -z "$site" ]; then
            # Its lists have been removed, as they are in most images: apt knows only what it has fetched.
            say 'apt-get update'
            apt-get update -qq >&2
            site=$(archive)
        fi
        [ -n "$site" ] || stop 'apt has no source for the suite of this Debian' 'add it to /etc/apt/sources.list'
        say "$base: from the archive, suite $suite"
        mkdir -p "$cache"
        for each in "$suite" "${older[@]}"; do list+=("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $each main"); done
        # As slim images are; no pages of manuals, nothing synced to disk.
        rm -f "$tar.new.tar"
        local excluded=(doc info locale man) options=()
        for each in "${excluded[@]}"; do options+=("--dpkgopt=path-exclude=/usr/share/$each/*"); done
        mmdebstrap --quiet --variant=minbase --mode=root --include=ca-certificates \
            --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io "${options[@]}" \
            --setup-hook='mkdir -p "$1/etc/apt/preferences.d"' \
            --setup-hook="printf 'Package: *\nPin: release n=%s\nPin-Priority: %s\n\n' ${older[0]} 100 ${older[1]} 90 > \"\$1/etc/apt/preferences.d/older\"" \
            "$suite" "$tar.new.tar" "${list[@]}"
        mv "$tar.new.tar" "$tar"
    fi
    docker import "$label" "$tar" "$base" >/dev/null
}

# build NAME: an image from the Dockerfile on the standard input, with $work as its folder.
build() { DOCKER_BUILDKIT=0 docker build --quiet --network host --label pgbaton.stand-in=debian --tag "$1" --file - "$work" >/dev/null; }

# The node of this machine, with the certificates that it trusts: npm may be behind a proxy that has its own.
make_node() {
    local program modules
    program=$(readlink -f "$(command -v node)")
    modules=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
    say "$node: $(node --version) of this machine"
    cp --link "$program" "$work/node" 2>/dev/null || cp "$program" "$work/node"
    cp -rL "$modules" "$work/npm"
    cp -L "${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}" "$work/authorities.crt"
    build "$node" <<END
FROM $base
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
COPY authorities.crt /etc/ssl/certs/extra.crt
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/extra.crt
CMD ["node"]
END
}

# All servers in one layer: what takes time is to read the lists of the archive.
make_servers() {
    say "$consul, $haproxy, $prometheus: packages of Debian"
    build pgbaton-stand-in:servers <<END
FROM $base
RUN apt-get -qq update && apt-get -qq install --no-install-recommends consul haproxy prometheus && rm -rf /var/lib/apt/lists/*
END
    there "$consul" || build "$consul" <<'END'
FROM pgbaton-stand-in:servers
RUN install -d -o consul -g consul /consul/data /consul/config
USER consul
VOLUME /consul/data
EXPOSE 8300 8301 8301/udp 8302 8302/udp 8500 8600 8600/udp
ENTRYPOINT ["sh", "-c", "[ \"$1\" != agent ] || { shift; set -- agent -data-dir=/consul/data -config-dir=/consul/config \"$@\"; }; exec consul \"$@\"", "consul"]
CMD ["agent", "-dev", "-client", "0.0.0.0"]
END
    there "$haproxy" || build "$haproxy" <<'END'
FROM pgbaton-stand-in:servers
RUN usermod -u 99 haproxy && groupmod -g 99 haproxy && mkdir -p /usr/local/etc/haproxy
USER haproxy
STOPSIGNAL SIGUSR1
ENTRYPOINT ["haproxy", "-W", "-db"]
CMD ["-f", "/usr/local/etc/haproxy/haproxy.cfg"]
END
    there "$prometheus" || build "$prometheus" <<'END'
FROM pgbaton-stand-in:servers
RUN ln -s /usr/bin/prometheus /bin/prometheus 2>/dev/null; install -d -o nobody /prometheus
USER nobody
WORKDIR /prometheus
VOLUME /prometheus
EXPOSE 9090
ENTRYPOINT ["/usr/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
END
    docker image rm pgbaton-stand-in:servers >/dev/null
}

needed=()
for image in "$base" "$node" "$consul" "$haproxy" "$prometheus"; do
    if there "$image"; then continue; fi
    pull "$image" || needed+=("$image")
done
[ "${#needed[@]}" -gt 0 ] || exit 0

work=$(mktemp -d)
[[ " ${needed[*]} " != *" $base "* ]] || make_base
[[ " ${needed[*]} " != *" $node "* ]] || make_node
for image in "$consul" "$haproxy" "$prometheus"; do
    if [[ " ${needed[*]} " == *" $image "* ]]; then make_servers; break; fi
done
