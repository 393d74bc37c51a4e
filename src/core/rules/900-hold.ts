import type { Rule } from '../decision.ts';
import { role } from '../facts.ts';

export const hold: Rule = {
  number: 900,
  name: 'hold',
  when: 'nothing else applies',
  evaluate(view) {
    const why =
      view.cluster === undefined
        ? 'Consul has not answered yet'
        : `Postgres is ${role(view)}; nothing to do with what is known`;
    return { why, waitsFor: ['news of Postgres or Consul'] };
  },
};
