import { Option } from 'commander';
import { ROLE_FILTERS } from './members.ts';

/** `-r/--role`, as restart and reload take it. */
export const roleOption = (): Option =>
  new Option('-r, --role <role>', 'only members with this role')
    .choices(ROLE_FILTERS)
    .default('any');
