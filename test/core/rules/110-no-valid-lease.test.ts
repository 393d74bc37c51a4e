import { decides } from '../../harness/rule-table.ts';
import {
  aView,
  command,
  down,
  holding,
  lapsed,
  primary,
  running,
  silent,
  standby,
} from '../../harness/views.ts';

const fence = (cause: 'no-lease' | 'lease-over') => [{ kind: 'fence', cause } as const];

decides([
  {
    when: 'fences a primary without a lease',
    view: aView(primary()),
    rule: 'R110',
    actions: fence('no-lease'),
  },
  {
    when: 'fences a primary whose lease has ended',
    view: aView(lapsed(), primary()),
    rule: 'R110',
    actions: fence('lease-over'),
  },
  {
    when: 'fences what is being promoted when the lease has ended',
    view: aView(lapsed(), standby(), running('promote')),
    rule: 'R110',
    actions: fence('lease-over'),
  },
  {
    when: 'fences a new cluster whose roles are being made when the lease has ended',
    view: aView(lapsed(), silent(), running('finish-bootstrap')),
    rule: 'R110',
    actions: fence('lease-over'),
  },
  {
    when: 'fences before it obeys an operator',
    view: aView(primary(), command({ kind: 'shutdown' })),
    rule: 'R110',
    actions: fence('no-lease'),
  },
  {
    when: 'fences a primary without a lease while another job runs',
    view: aView(primary(), running('checkpoint')),
    rule: 'R110',
    actions: fence('no-lease'),
  },
  {
    when: 'fences a primary that has given its lease away',
    view: aView(
      holding({ release: { handoff: undefined, lsn: undefined, exclude: [] } }),
      primary(),
    ),
    rule: 'R110',
    actions: fence('lease-over'),
  },
  {
    when: 'fences a primary without a lease though Consul was never read',
    view: aView(primary(), { cluster: undefined, observation: undefined }),
    rule: 'R110',
    actions: fence('no-lease'),
  },
  {
    when: 'leads instead with a valid lease',
    view: aView(holding(), primary({ slots: [] })),
    rule: 'R350',
    actions: ['write-history', 'reconcile-slots'],
  },
  { when: 'follows instead as a standby without a lease', view: aView(), rule: 'R530' },
  {
    when: 'starts instead what is down without a lease',
    view: aView(down(), { cluster: undefined }),
    rule: 'R520',
    actions: ['start'],
  },
]);
