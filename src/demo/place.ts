import { freePort } from './ports.ts';

/** Where servers run: on this machine, or in a network namespace that stands for a host of its own. */
export interface Place {
  /** Under which others reach what runs there. */
  readonly address: string;
  /** Program and arguments that start a command there; empty for this machine itself. */
  readonly enter: readonly string[];
  /** From where clients may log in to Postgres, in the words of pg_hba.conf. */
  readonly clients: string;
  /** A port that is free there; `usual` if the place has all of its ports to itself. */
  readonly port: (usual: number) => Promise<number>;
}

/** This machine, with ports that nobody else listens on. */
export const LOCALHOST: Place = {
  address: '127.0.0.1',
  enter: [],
  clients: '127.0.0.1/32',
  port: freePort,
};
