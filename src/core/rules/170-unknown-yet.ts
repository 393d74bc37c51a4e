import type { Rule } from '../decision.ts';

export const unknownYet: Rule = {
  number: 170,
  name: 'unknown-yet',
  when: 'the guardian or the data directory has not been looked at yet',
  evaluate(view) {
    if (view.postmaster.kind !== 'unknown' && view.directory !== undefined) return undefined;
    return {
      why: 'the guardian or the data directory has changed and is looked at first',
      waitsFor: ['that look'],
    };
  },
};
