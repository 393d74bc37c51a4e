import type { FakeCall, FakeConsul, FakeFault } from '../harness/fake-store.ts';

type Interference = (call: FakeCall) => FakeFault | undefined;

/** Troubles with Consul that overlap: each ends on its own, and what it broke works again with the last. */
export class ConsulTroubles {
  readonly #consul: FakeConsul;
  readonly #interferences = new Set<Interference>();
  readonly #cuts = new Map<string, number>();
  #leaderless = 0;

  constructor(consul: FakeConsul) {
    this.#consul = consul;
  }

  get isLed(): boolean {
    return this.#leaderless === 0;
  }

  /** The first that has something to say about a request decides what becomes of it. */
  interfere(interference: Interference): () => void {
    this.#interferences.add(interference);
    this.#consul.intercept = (call) => {
      for (const ask of this.#interferences) {
        const fault = ask(call);
        if (fault !== undefined) return fault;
      }
      return undefined;
    };
    return () => {
      this.#interferences.delete(interference);
      if (this.#interferences.size === 0) this.#consul.intercept = undefined;
    };
  }

  /** A machine and Consul do not reach each other. */
  cut(address: string): () => void {
    const change = (by: number): void => {
      const count = (this.#cuts.get(address) ?? 0) + by;
      this.#cuts.set(address, count);
      this.#consul.partition(address, count > 0);
    };
    change(1);
    return once(() => {
      change(-1);
    });
  }

  /** An election that takes its time. */
  withoutLeader(): () => void {
    this.#leaderless += 1;
    this.#consul.server.setLeader(false);
    return once(() => {
      this.#leaderless -= 1;
      if (this.#leaderless === 0) this.#consul.server.setLeader(true);
    });
  }
}

function once(act: () => void): () => void {
  let acted = false;
  return () => {
    if (acted) return;
    acted = true;
    act();
  };
}
