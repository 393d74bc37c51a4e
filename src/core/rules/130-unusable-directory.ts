import type { Rule } from '../decision.ts';
import { holdsLease } from '../facts.ts';
import { isPaused } from '../pause.ts';

export const unusableDirectory: Rule = {
  number: 130,
  name: 'unusable-directory',
  when: 'the data directory holds something that is no data directory of this PostgreSQL',
  evaluate(view) {
    const directory = view.directory?.value;
    if (directory?.kind !== 'unusable' || view.postmaster.kind !== 'down') return undefined;
    // The agent may always be stopped; what that takes is the same here.
    if (view.command?.kind === 'shutdown') return undefined;
    return {
      why: directory.reason,
      waitsFor: [directory.remedy],
      actions:
        holdsLease(view) && view.held?.release === undefined && !isPaused(view)
          ? [{ kind: 'release', handoff: undefined, lsn: undefined, exclude: [view.self] }]
          : [],
    };
  },
};
