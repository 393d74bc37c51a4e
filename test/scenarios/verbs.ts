import type { Command } from '../../src/agent/facade.ts';
import type { Host } from '../sim/host.ts';
import type { Stage } from './stage.ts';

/** What a line of a transcript does to the world, at once. */
export type Verb = (stage: Stage) => void;

interface VerbForm {
  /** How it is written, for whoever has written it otherwise. */
  readonly form: string;
  readonly pattern: RegExp;
  readonly make: (found: readonly string[]) => Verb;
}

const onHost =
  (act: (host: Host, stage: Stage) => void) =>
  ([name = '']: readonly string[]): Verb =>
  (stage) => {
    act(stage.host(name), stage);
  };

const always = (act: Verb) => (): Verb => act;

/** A consul cut and its undoing; several cuts of one member are one. */
function cutFromConsul(stage: Stage, host: Host): void {
  stage.world.consul.partition(host.address, true);
  stage.later(host.name, () => {
    stage.world.consul.partition(host.address, false);
  });
}

function cutFromPeers(stage: Stage, host: Host, others: readonly Host[], both: boolean): void {
  const { network } = stage.world;
  for (const other of others) {
    stage.later(host.name, network.cut(host.address, other.address));
    if (both) stage.later(host.name, network.cut(other.address, host.address));
  }
}

function cut([name = '', from = '']: readonly string[]): Verb {
  return (stage) => {
    const host = stage.host(name);
    const names = from.split(/, | and /);
    const others = names
      .filter((other) => other.startsWith('pg'))
      .map((other) => stage.host(other));
    if (names.includes('consul')) cutFromConsul(stage, host);
    cutFromPeers(stage, host, others, true);
  };
}

function isolate(stage: Stage, host: Host): void {
  cutFromConsul(stage, host);
  cutFromPeers(
    stage,
    host,
    stage.world.hosts.filter((other) => other !== host),
    true,
  );
}

function submit(stage: Stage, host: Host | undefined, command: Command): void {
  const agent = host?.agent;
  if (agent === undefined) throw new Error(`no agent takes the command ${command.kind}`);
  stage.answers.delete(command.kind);
  agent.submit(command);
}

/** Whose agent runs and hears Consul. */
const anyone = (stage: Stage): Host | undefined =>
  stage.world.hosts.find(
    ({ agent }) => (agent?.agent.status().storeSeenMillis ?? Infinity) < 1000,
  ) ?? stage.world.hosts.find(({ agent }) => agent !== undefined);

const aRestart: Command = {
  kind: 'restart',
  onlyIfPending: false,
  onlyIfRole: undefined,
  onlyIfVersionBelow: undefined,
  timeoutMillis: undefined,
};

const HOST_VERBS: readonly VerbForm[] = [
  {
    form: 'kill agent of pg1',
    pattern: /^kill agent of (pg\d+)$/,
    make: onHost((host) => host.killAgent()),
  },
  {
    form: 'start agent of pg1',
    pattern: /^start agent of (pg\d+)$/,
    make: onHost((host) => host.startAgent()),
  },
  {
    form: 'stop agent of pg1 (SIGTERM)',
    pattern: /^stop agent of (pg\d+)$/,
    make: onHost((host) => host.stopAgent()),
  },
  {
    form: 'detach agent of pg1 (SIGUSR2)',
    pattern: /^detach agent of (pg\d+)$/,
    make: onHost((host) => host.detachAgent()),
  },
  {
    form: 'pause agent of pg1',
    pattern: /^pause agent of (pg\d+)$/,
    make: onHost((host, stage) => {
      const paused = host.agent?.process;
      paused?.freeze('agent');
      stage.later(host.name, () => paused?.thaw('agent'));
    }),
  },
  {
    form: 'pause host pg1',
    pattern: /^pause host (pg\d+)$/,
    make: onHost((host, stage) => {
      host.freeze();
      stage.later(host.name, () => host.thaw());
    }),
  },
  {
    form: 'crash host pg1',
    pattern: /^crash host (pg\d+)$/,
    make: onHost((host) => host.crash()),
  },
  {
    form: 'boot all (instead of "when healthy", to tell how a cluster is founded)',
    pattern: /^boot all$/,
    make: always((stage) => stage.bootAll()),
  },
  { form: 'boot host pg1', pattern: /^boot host (pg\d+)$/, make: onHost((host) => host.boot()) },
  {
    form: 'crash postgres of pg1',
    pattern: /^crash postgres of (pg\d+)$/,
    make: onHost((host) => host.postgres.kill(true)),
  },
  {
    form: 'kill guardian of pg1',
    pattern: /^kill guardian of (pg\d+)$/,
    make: onHost((host) => host.killGuardian()),
  },
  {
    form: 'pause guardian of pg1',
    pattern: /^pause guardian of (pg\d+)$/,
    make: onHost((host, stage) => {
      const guardian = host.guardian?.process;
      guardian?.freeze('guardian');
      stage.later(host.name, () => guardian?.thaw('guardian'));
    }),
  },
  {
    form: 'promotions of pg1 take 20 s',
    pattern: /^promotions of (pg\d+) take (\d+(?:\.\d+)? m?s)$/,
    make:
      ([name = '', millis = '']) =>
      (stage) => {
        const { trouble } = stage.host(name);
        trouble.promoteDelayMillis = Number(millis);
        stage.later(name, () => (trouble.promoteDelayMillis = 0));
      },
  },
  {
    form: 'starts of pg1 fail (or clones, or rewinds)',
    pattern: /^(starts|clones|rewinds) of (pg\d+) fail$/,
    make:
      ([what = '', name = '']) =>
      (stage) => {
        const { trouble } = stage.host(name);
        const share = `${what.slice(0, -1)}FailShare`;
        Object.assign(trouble, { [share]: 1 });
        stage.later(name, () => Object.assign(trouble, { [share]: 0 }));
      },
  },
];

const NETWORK_VERBS: readonly VerbForm[] = [
  {
    form: 'cut pg1 from consul, pg2, pg3',
    pattern: /^cut (pg\d+) from ((?:consul|pg\d+)(?:(?:, | and )(?:consul|pg\d+))*)$/,
    make: cut,
  },
  {
    form: 'isolate pg1',
    pattern: /^isolate (pg\d+)$/,
    make: onHost((host, stage) => isolate(stage, host)),
  },
  {
    form: 'lose what pg1 sends to pg2',
    pattern: /^lose what (pg\d+) sends to (pg\d+)$/,
    make:
      ([from = '', to = '']) =>
      (stage) =>
        cutFromPeers(stage, stage.host(from), [stage.host(to)], false),
  },
  {
    form: 'heal pg1 (its cuts, pauses and troubles)',
    pattern: /^heal (pg\d+)$/,
    make:
      ([name = '']) =>
      (stage) =>
        stage.heal(name),
  },
  {
    form: 'heal all (cuts, pauses and troubles, and Consul)',
    pattern: /^heal all$/,
    make: always((stage) => stage.healAll()),
  },
];

const CONSUL_VERBS: readonly VerbForm[] = [
  {
    form: 'consul loses its leader',
    pattern: /^consul loses its leader$/,
    make: always((stage) => {
      stage.world.consul.server.setLeader(false);
      stage.later('consul', () => stage.world.consul.server.setLeader(true));
    }),
  },
  {
    form: 'consul has a leader again',
    pattern: /^consul has a leader again$/,
    make: always((stage) => stage.heal('consul')),
  },
  {
    form: 'destroy session of pg1',
    pattern: /^destroy session of (pg\d+)$/,
    make: onHost((host, { world }) => {
      const { members } = world.consul.server.list(world.prefix).record;
      const session = members.find(({ key }) => key.name === host.name)?.session;
      if (session === undefined) throw new Error(`${host.name} has no session`);
      world.consul.server.destroySession(session);
    }),
  },
  {
    form: 'delete key leader',
    pattern: /^delete key leader$/,
    make: always(({ world }) => world.consul.server.delete(`${world.prefix}leader`)),
  },
  {
    form: 'wipe consul',
    pattern: /^wipe consul$/,
    make: always(({ world }) => {
      world.checks.storeForgets();
      world.durability.storeForgets();
      world.consul.server.wipe();
    }),
  },
  {
    form: 'save consul',
    pattern: /^save consul$/,
    make: always((stage) => {
      stage.snapshot = stage.world.consul.server.snapshot();
    }),
  },
  {
    form: 'restore consul',
    pattern: /^restore consul$/,
    make: always(({ world, snapshot }) => {
      if (snapshot === undefined) throw new Error('nothing was saved: write "save consul" before');
      world.checks.storeForgets();
      world.durability.storeForgets();
      world.consul.server.restore(snapshot);
    }),
  },
];

const OPERATOR_VERBS: readonly VerbForm[] = [
  {
    form: 'switchover, or switchover to pg2',
    pattern: /^switchover(?: to (pg\d+))?$/,
    make:
      ([candidate = '']) =>
      (stage) => {
        const leader = stage.world.primary();
        const to = candidate === '' ? undefined : candidate;
        submit(stage, leader, {
          kind: 'switchover',
          leader: leader?.name ?? '',
          candidate: to,
        });
      },
  },
  {
    form: 'failover to pg2',
    pattern: /^failover to (pg\d+)$/,
    make: onHost((host, stage) => {
      stage.world.durability.forced();
      submit(stage, host, { kind: 'failover', candidate: host.name });
    }),
  },
  {
    form: 'pause the cluster',
    pattern: /^pause the cluster$/,
    make: always((stage) =>
      submit(stage, anyone(stage), { kind: 'patch-config', patch: { pause: true } }),
    ),
  },
  {
    form: 'resume the cluster',
    pattern: /^resume the cluster$/,
    make: always((stage) =>
      submit(stage, anyone(stage), { kind: 'patch-config', patch: { pause: null } }),
    ),
  },
  {
    form: 'resume the cluster by force on pg2 (whoever holds the lease is said to be down)',
    pattern: /^resume the cluster by force on (pg\d+)$/,
    make: onHost((host, stage) => {
      stage.world.checks.holderStatedDown();
      submit(stage, host, { kind: 'abandon' });
    }),
  },
  {
    form: 'restart postgres of pg1',
    pattern: /^restart postgres of (pg\d+)$/,
    make: onHost((host, stage) => submit(stage, host, aRestart)),
  },
  {
    form: 'reinit pg1',
    pattern: /^reinit (pg\d+)$/,
    make: onHost((host, stage) =>
      submit(stage, host, { kind: 'reinitialize', force: false, fromLeader: false }),
    ),
  },
];

export const VERBS: readonly VerbForm[] = [
  ...HOST_VERBS,
  ...NETWORK_VERBS,
  ...CONSUL_VERBS,
  ...OPERATOR_VERBS,
];
