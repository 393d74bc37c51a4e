import type { Rule } from '../decision.ts';

/** A release is final: nothing is done under this lease again, whatever the answer. */
export const releasing: Rule = {
  number: 150,
  name: 'releasing',
  when: 'the own release has been sent and is not confirmed yet',
  evaluate(view) {
    if (view.held?.release === undefined) return undefined;
    return {
      why: 'the lease has been given away; Postgres stays down until Consul shows it',
      waitsFor: ['an answer of Consul'],
    };
  },
};
