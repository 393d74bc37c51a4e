import { describe, expect, test } from 'vitest';
import { drawPatch } from './faults-operator.ts';
import { Draw, drawPlan } from './plan.ts';
import { Configurations } from './settings-source.ts';

const SEEDS = Array.from({ length: 300 }, (_, index) => index);
const plans = SEEDS.map((seed) => drawPlan(Draw.seeded(seed), undefined));

describe('what seeds draw', () => {
  test('has clusters of one to five members', () => {
    const sizes = new Set(plans.map(({ members }) => members));
    expect(sizes).toEqual(new Set([1, 2, 3, 4, 5]));
  });

  test('has every mode of replication', () => {
    const modes = new Set(plans.map(({ dynamic }) => dynamic['synchronous_mode']));
    expect(modes).toEqual(new Set([false, true, 'quorum']));
  });

  test('is taken by the shipped configuration as it is, with its changes', async () => {
    for (const plan of plans.slice(0, 60)) {
      const draw = Draw.seeded(plan.faultMillis);
      const configurations = await Configurations.read(plan);
      const source = configurations.settingsFor({ name: 'pg1', address: 'pg1' });
      const accepted = { ok: true, value: { warnings: expect.anything() as unknown } };
      expect(source.validateDynamic(plan.dynamic)).toEqual(accepted);
      expect(source.validateDynamic({ ...plan.dynamic, ...drawPatch(draw) })).toEqual(accepted);
      const { ttl = 3, heartbeat = 0.5 } = plan.dynamic;
      const { timing } = source.current().policy;
      expect([timing.ttlMillis, timing.heartbeatMillis]).toEqual([
        Number(ttl) * 1000,
        Number(heartbeat) * 1000,
      ]);
    }
  });

  test('leaves somebody who may lead', async () => {
    for (const plan of plans) {
      const configurations = await Configurations.read(plan);
      const names = plan.tags.map((_, index) => `pg${index + 1}`);
      expect(names.filter((name) => !configurations.isBarred(name)).length).toBeGreaterThan(
        plan.members > 2 ? 1 : 0,
      );
    }
  });
});
