import type { Rule } from '../decision.ts';

/** P7: a server that runs without our guardian cannot be fenced in time, so it is not adopted. */
export const foreignPostmaster: Rule = {
  number: 120,
  name: 'foreign-postmaster',
  when: 'a postmaster runs on the data directory that no guardian of this member started',
  evaluate(view) {
    if (view.postmaster.kind !== 'foreign') return undefined;
    return {
      why: `process ${view.postmaster.pid} runs Postgres on the data directory without a guardian; it is stopped, and started again under one`,
      waitsFor: ['that process to end; disable whatever starts Postgres besides pgbaton'],
      actions: [{ kind: 'fence', cause: 'foreign-postmaster' }],
    };
  },
};
