import { unreachable } from './assert.ts';
import type { Decision, Rule } from './decision.ts';
import type { Memory } from './memory.ts';
import { takeInOutcome } from './outcome.ts';
import { noValidLease } from './rules/110-no-valid-lease.ts';
import { foreignPostmaster } from './rules/120-foreign-postmaster.ts';
import { unusableDirectory } from './rules/130-unusable-directory.ts';
import { otherCluster } from './rules/140-other-cluster.ts';
import { watchdogLost } from './rules/145-watchdog-lost.ts';
import { releasing } from './rules/150-releasing.ts';
import { busy } from './rules/160-busy.ts';
import { unknownYet } from './rules/170-unknown-yet.ts';
import { hung } from './rules/180-hung.ts';
import { handOver } from './rules/210-hand-over.ts';
import { shutdown } from './rules/220-shutdown.ts';
import { switchover } from './rules/230-switchover.ts';
import { restart } from './rules/240-restart.ts';
import { reinitialize } from './rules/250-reinitialize.ts';
import { abandon } from './rules/260-abandon.ts';
import { pausedOver } from './rules/270-paused.ts';
import { leaderDown } from './rules/310-leader-down.ts';
import { leaderPromotes } from './rules/320-leader-promotes.ts';
import { leaderStarting } from './rules/330-leader-starting.ts';
import { leaderFounds } from './rules/340-leader-founds.ts';
import { diskFull } from './rules/345-disk-full.ts';
import { leading } from './rules/350-leading.ts';
import { giveBack } from './rules/405-give-back.ts';
import { takeover } from './rules/410-takeover.ts';
import { bootstrap } from './rules/420-bootstrap.ts';
import { clone } from './rules/510-clone.ts';
import { rejoin } from './rules/520-rejoin.ts';
import { follow } from './rules/530-follow.ts';
import { recovering } from './rules/540-recovering.ts';
import { standingBy } from './rules/590-standing-by.ts';
import { hold } from './rules/900-hold.ts';
import type { View } from './view.ts';

/** What nobody has asked for: in maintenance mode rule 270 holds it back. */
const AUTOMATIC: readonly Rule[] = [
  leaderDown,
  leaderPromotes,
  leaderStarting,
  leaderFounds,
  diskFull,
  leading,
  giveBack,
  takeover,
  bootstrap,
  clone,
  rejoin,
  follow,
  recovering,
  standingBy,
  hold,
];

/** In order; the first that fires decides. 1xx safety, 2xx operator, 3xx leader, 4xx candidate, 5xx standby. */
export const RULES: readonly Rule[] = [
  noValidLease,
  foreignPostmaster,
  unusableDirectory,
  otherCluster,
  watchdogLost,
  releasing,
  busy,
  unknownYet,
  hung,
  handOver,
  shutdown,
  switchover,
  restart,
  reinitialize,
  abandon,
  pausedOver(AUTOMATIC),
  ...AUTOMATIC,
];

/** Total, pure, without a clock: the same View and Memory give the same Decision, always. */
export function decide(view: View, memory: Memory): Decision {
  const remembered = takeInOutcome(view, memory);
  for (const rule of RULES) {
    const verdict = rule.evaluate(view, remembered);
    if (verdict === undefined) continue;
    return {
      rule: `R${rule.number}`,
      name: rule.name,
      why: verdict.why,
      waitsFor: verdict.waitsFor ?? [],
      actions: verdict.actions ?? [],
      memory: verdict.memory ?? remembered,
      wakeAt: verdict.wakeAt,
    };
  }
  return unreachable(undefined as never);
}
