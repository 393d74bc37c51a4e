import type { FakeCall, FakeFault } from '../harness/fake-store.ts';
import type { Ground, Strike } from './ground.ts';
import type { Host } from './host.ts';

/** Some requests of one member, or of all, go wrong for a while. */
function interfere(
  { world, draw, during }: Ground,
  host: Host,
  millis: number,
  fault: (call: FakeCall) => FakeFault | undefined,
): void {
  const everyone = draw.chance(0.4);
  during(
    millis,
    world.consulTroubles.interfere((call) =>
      everyone || call.member === host.address ? fault(call) : undefined,
    ),
  );
}

/** One of the ways that a network has. */
function mishap(chance: () => number): FakeFault {
  const draw = chance();
  const late = chance() * 7000;
  if (draw < 0.25) return { kind: 'lose-reply' };
  if (draw < 0.45) return { kind: 'delay', millis: late };
  if (draw < 0.6) return { kind: 'delay-reply', millis: late };
  if (draw < 0.75) return { kind: 'drop' };
  if (draw < 0.82) return { kind: 'repeat', millis: late };
  if (draw < 0.92) return { kind: 'fail', effect: chance() < 0.5 };
  return { kind: 'refuse' };
}

/** What befalls Consul, its servers and its data. */
export const CONSUL_FAULTS = {
  'consul-leaderless': ({ world, during }, _host, millis) => {
    during(millis, world.consulTroubles.withoutLeader());
  },
  /** A server is replaced: an election, and an index that has moved on. */
  'replace-consul-server': ({ world, draw, during }) => {
    const { server } = world.consul;
    const elected = world.consulTroubles.withoutLeader();
    during(draw.between(200, 4000), () => {
      server.kv.skipIndexes(draw.whole(1, 5000));
      if (draw.chance(0.3)) server.kv.reapTombstones();
      elected();
      server.wakeSpuriously();
    });
  },
  /** The Consul agent beside a member: connections end, and sometimes the session with it. */
  'restart-consul-agent': ({ world, draw, during }, host) => {
    host.agent?.dropConsulConnections();
    const member = world.record().members.find(({ key }) => key.name === host.name);
    if (member?.session !== undefined && draw.chance(0.5))
      world.consul.server.destroySession(member.session);
    during(
      draw.between(100, 3000),
      world.consulTroubles.interfere((call) =>
        call.member === host.address ? { kind: 'refuse' } : undefined,
      ),
    );
  },
  'lossy-consul': (ground, host, millis) => {
    const share = ground.draw.between(0.05, 0.6);
    const chance = (): number => ground.world.chance();
    interfere(ground, host, millis, () => (chance() < share ? mishap(chance) : undefined));
  },
  /** Tokens that do not work any more, for reads, writes or sessions. */
  'acl-refusals': (ground, host, millis) => {
    const refused = ground.draw.pick([
      ['read', 'watch', 'commit', 'open', 'renew', 'close'],
      ['commit'],
      ['open', 'renew'],
    ]);
    interfere(ground, host, millis, ({ operation }) =>
      refused.includes(operation) ? { kind: 'deny' } : undefined,
    );
  },
  /** Blocking queries are answered by a server that is a little behind. */
  'lagging-watches': (ground, host, millis) => {
    const behindMillis = ground.draw.between(20, 800);
    interfere(ground, host, millis, ({ operation }) =>
      operation === 'watch' ? { kind: 'lag', millis: behindMillis } : undefined,
    );
  },
  /** A full pipe: what one member asks takes effect at once, and it hears of it late. */
  'slow-replies': ({ world, draw, during }, host, millis) => {
    const lateMillis = draw.between(300, 3000);
    during(
      millis,
      world.consulTroubles.interfere(({ member }) =>
        member === host.address ? { kind: 'delay-reply', millis: lateMillis } : undefined,
      ),
    );
  },
  /** Consul hears a member that does not hear it, or the other way round. */
  'one-way-consul': ({ world, draw, during }, host, millis) => {
    const kind = draw.pick<'drop' | 'lose-reply'>(['drop', 'lose-reply']);
    during(
      millis,
      world.consulTroubles.interfere(({ member }) =>
        member === host.address ? { kind } : undefined,
      ),
    );
  },
  'destroy-session': ({ world, draw }) => {
    const sessions = [...world.consul.server.snapshot().sessions];
    if (sessions.length > 0) world.consul.server.destroySession(draw.pick(sessions));
  },
  /** A member of Patroni's is first when the session of the leader ends. */
  'foreign-leader': ({ world, during }, _host, millis) => {
    if (!world.foreign.takes()) return;
    during(millis, () => {
      world.foreign.ends();
    });
  },
  'delete-leader-key': ({ world }) => {
    world.consul.server.delete(`${world.prefix}leader`);
  },
  'wipe-store': ({ world }) => {
    world.storeForgets(() => {
      world.consul.server.wipe();
    });
  },
  'restore-store': ({ world, draw }) => {
    if (world.snapshots.length === 0) return;
    const snapshot = draw.pick(world.snapshots);
    world.storeForgets(() => {
      world.consul.server.restore(snapshot);
    });
  },
  'consul-oddities': ({ world, draw }) => {
    const { server } = world.consul;
    server.wakeSpuriously();
    if (draw.chance(0.5) && world.consulTroubles.isLed) server.changeLeader();
    if (draw.chance(0.3)) server.kv.reapTombstones();
  },
} as const satisfies Readonly<Record<string, Strike>>;
