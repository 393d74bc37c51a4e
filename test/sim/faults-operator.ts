import type { JsonObject } from '../../src/core/json.ts';
import type { Strike } from './ground.ts';
import { RESTART, RESUME, takeFromTheDead } from './maintenance.ts';
import { drawSynchronous, drawTiming } from './plan.ts';
import type { Draw } from './plan.ts';

/** What people do, at bad moments. */
export const OPERATOR_FAULTS = {
  switchover: ({ world, draw }, host) => {
    const leader = world.primary()?.name ?? host.name;
    const candidate = draw.chance(0.5) ? undefined : draw.pick(world.hosts).name;
    host.agent?.submit({ kind: 'switchover', leader, candidate });
  },
  failover: ({ world, draw }, host) => {
    if (host.agent === undefined) return;
    world.durability.forced();
    host.agent.submit({ kind: 'failover', candidate: draw.pick(world.hosts).name });
  },
  restart: (_ground, host) => {
    host.agent?.submit(RESTART);
  },
  reinitialize: ({ draw }, host) => {
    host.agent?.submit({ kind: 'reinitialize', force: false, fromLeader: draw.chance(0.5) });
  },
  pause: ({ world, draw, during }, host, millis) => {
    host.agent?.submit({ kind: 'patch-config', patch: { pause: true } });
    // Sometimes for good: whoever heals the cluster finds it so.
    if (draw.chance(0.2)) return;
    during(millis, () => {
      draw.pick(world.hosts).agent?.submit(RESUME);
    });
  },
  resume: ({ world, draw }, host) => {
    host.agent?.submit(RESUME);
    if (draw.chance(0.5)) takeFromTheDead(world, draw);
  },
  'change-config': ({ draw }, host) => {
    host.agent?.submit({ kind: 'patch-config', patch: drawPatch(draw) });
  },
} as const satisfies Readonly<Record<string, Strike>>;

const NO_TIMING: JsonObject = {
  ttl: null,
  heartbeat: null,
  fence_budget: null,
  retry_timeout: null,
  loop_wait: null,
};

/** Any change that people make, each of them valid. */
export function drawPatch(draw: Draw): JsonObject {
  return draw.pick<() => JsonObject>([
    () => ({ ...NO_TIMING, ...drawTiming(draw) }),
    () => drawSynchronous(draw),
    () => ({ failsafe_mode: draw.chance(0.5) }),
    () => ({ maximum_lag_on_failover: draw.pick([1_048_576, 20_000, 2000]) }),
    () => ({ postgresql: { use_slots: draw.chance(0.5) } }),
    () => ({ check_timeline: draw.chance(0.5), crash_restart_budget: draw.whole(0, 3) }),
  ])();
}
