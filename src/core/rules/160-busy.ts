import type { Rule } from '../decision.ts';
import { holdsLease, leaseIsFree, role } from '../facts.ts';
import type { JobKind } from '../job.ts';

/** Work that may be broken off without leaving anything half done. */
const CANCELLABLE: ReadonlySet<JobKind> = new Set(['clone', 'diagnose', 'initialise']);

export const busy: Rule = {
  number: 160,
  name: 'busy',
  when: 'a job runs (start, stop, promote, clone, rewind, …)',
  evaluate(view) {
    const job = view.job;
    if (job === undefined) return undefined;
    // Looking for evidence may take a while; a lease that becomes free meanwhile is not left to others.
    const leads = holdsLease(view);
    const free = role(view) === 'standby' && leaseIsFree(view);
    if (job.kind === 'diagnose' && free && !leads) return undefined;
    const leaving = view.command?.kind === 'shutdown' && CANCELLABLE.has(job.kind);
    const pointless = leads && job.kind === 'diagnose';
    const progress = job.progress === undefined ? '' : `: ${job.progress}`;
    return {
      why: `${job.kind} is under way${progress}`,
      waitsFor: [`the end of ${job.kind}`],
      actions: leaving || pointless ? [{ kind: 'cancel-job' }] : [],
    };
  },
};
