import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lsn } from '../../src/core/lsn.ts';
import type { HostMemory } from '../../src/core/view.ts';
import type { HostState } from '../../src/ports/host-state.ts';
import { NO_HOST_MEMORY } from '../../src/ports/host-state.ts';

/** The memory of one host, real or simulated, and time that passes while one waits. */
export interface HostStateUnderTest {
  /** As a further run of the agent finds it. */
  connect(): HostState;
  /** From now on nothing more can be written. */
  fillDisk(): Promise<void>;
  answer<T>(call: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const EVERYTHING: HostMemory = {
  floor: { n: 12, id: 'g12' },
  promotions: [
    { id: 'g12', timeline: 4, switchLsn: lsn(0x1_0000_0000_0028n) },
    { id: 'g3', timeline: 2, switchLsn: lsn(0n) },
  ],
  followed: {
    id: 'g9',
    timeline: 3,
    from: 'pg2',
    guessedFrom: lsn(0x300_0000n),
    lineage: [{ id: 'g3', timeline: 2 }],
  },
  systemIdentifier: '7710733172458067259',
  founding: '7710733172458067259',
  led: ['g12', 'g3'],
  sync: { n: 12, key: { leader: 'pg1', standbys: ['pg2', 'pg3'], quorum: 1, version: 7 } },
};

const floorOf = (n: number): HostMemory => ({ ...EVERYTHING, floor: { n, id: `g${n}` } });

/** What the agent relies on, whatever keeps what a host must not forget. */
export function hostStateContract(title: string, open: () => Promise<HostStateUnderTest>): void {
  describe(title, () => {
    let host: HostStateUnderTest;
    beforeEach(async () => {
      host = await open();
    });
    afterEach(async () => {
      await host.close();
    });
    const loaded = async (): Promise<HostMemory> => {
      const read = await host.answer(host.connect().load());
      if (!read.ok) throw new Error(read.error.message);
      return read.value;
    };

    test('a host that was never told anything knows nothing', async () => {
      expect(await loaded()).toEqual(NO_HOST_MEMORY);
    });

    test('all that was saved is found by the next run of the agent', async () => {
      expect(await host.answer(host.connect().save(EVERYTHING))).toMatchObject({ ok: true });
      expect(await loaded()).toEqual(EVERYTHING);
    });

    test('what is no more known is gone', async () => {
      await host.answer(host.connect().save(EVERYTHING));
      await host.answer(host.connect().save(NO_HOST_MEMORY));
      expect(await loaded()).toEqual(NO_HOST_MEMORY);
    });

    test('the last one that was asked for stays, however many are asked for at once', async () => {
      const state = host.connect();
      const saves = Array.from({ length: 10 }, (_, n) => state.save(floorOf(n)));
      for (const save of saves) expect(await host.answer(save)).toMatchObject({ ok: true });
      expect(await loaded()).toEqual(floorOf(9));
    });

    test('a full disk is said, and what was known stays', async () => {
      const state = host.connect();
      await host.answer(state.save(EVERYTHING));
      await host.fillDisk();
      expect(await host.answer(state.save(floorOf(13)))).toMatchObject({ ok: false });
      expect(await loaded()).toEqual(EVERYTHING);
    });
  });
}
