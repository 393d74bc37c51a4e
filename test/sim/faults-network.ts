import type { Ground, Strike } from './ground.ts';
import type { Host } from './host.ts';
import { FAIR } from './network.ts';

const cutPeers = (
  { world, draw, during }: Ground,
  host: Host,
  millis: number,
  all: boolean,
): void => {
  const both = draw.chance(0.6);
  const outward = draw.chance(0.5);
  const others = world.hosts.filter((other) => other !== host);
  if (others.length === 0) return;
  for (const other of all ? others : [draw.pick(others)]) {
    if (both || outward) during(millis, world.network.cut(host.address, other.address));
    if (both || !outward) during(millis, world.network.cut(other.address, host.address));
  }
};

const cutConsul = ({ world, during }: Ground, host: Host, millis: number): void => {
  during(millis, world.consulTroubles.cut(host.address));
};

/** What befalls the ways between machines. */
export const NETWORK_FAULTS = {
  'cut-consul': cutConsul,
  'cut-peers': (ground, host, millis) => {
    cutPeers(ground, host, millis, ground.draw.chance(0.5));
  },
  isolate: (ground, host, millis) => {
    cutConsul(ground, host, millis);
    cutPeers(ground, host, millis, true);
  },
  'bad-weather': ({ world, draw, during }, _host, millis) => {
    world.network.weather = {
      latencyMillis: draw.between(1, 30),
      slowShare: draw.between(0, 0.2),
      slowMillis: draw.between(50, 2000),
      lossShare: draw.between(0, 0.2),
    };
    during(millis, () => {
      world.network.weather = FAIR;
    });
  },
} as const satisfies Readonly<Record<string, Strike>>;
