import type { Stage } from './stage.ts';

/** What a transcript expects of the world, at one moment. */
export type Condition = (stage: Stage) => boolean;

interface ConditionForm {
  readonly form: string;
  readonly pattern: RegExp;
  readonly make: (found: readonly string[]) => Condition;
}

export const CONDITIONS: readonly ConditionForm[] = [
  {
    form: 'pg1 is primary, or: pg1 or pg2 is primary',
    pattern: /^(pg\d+(?: or pg\d+)*) is primary$/,
    make: ([names = '']) => {
      const wanted = names.split(' or ');
      return ({ world }) => wanted.includes(world.primary()?.name ?? '');
    },
  },
  {
    form: 'nobody is primary',
    pattern: /^nobody is primary$/,
    make: () => (stage) => stage.world.primary() === undefined,
  },
  {
    form: 'two primaries',
    pattern: /^two primaries$/,
    make: () => (stage) => stage.world.hosts.filter(({ postgres }) => postgres.writable).length > 1,
  },
  {
    form: 'all stream from the primary',
    pattern: /^all stream from the primary$/,
    make: () => (stage) => stage.world.checks.healthy(),
  },
  {
    form: 'pg1 streams from pg2',
    pattern: /^(pg\d+) streams from (pg\d+)$/,
    make:
      ([name = '', from = '']) =>
      (stage) => {
        const { postgres } = stage.host(name);
        return (
          postgres.state === 'recovery' && postgres.receiver.upstream === stage.host(from).postgres
        );
      },
  },
  {
    form: 'pg1 is down (its Postgres)',
    pattern: /^(pg\d+) is down$/,
    make:
      ([name = '']) =>
      (stage) =>
        !stage.host(name).postgres.up,
  },
  {
    form: 'pg1 holds generation 2',
    pattern: /^(pg\d+) holds generation (\d+)$/,
    make:
      ([name = '', number = '']) =>
      ({ world }) => {
        const generation = world.checks.generation();
        return generation?.holder === name && generation.n === Number(number);
      },
  },
  {
    form: 'pg1 is on timeline 2',
    pattern: /^(pg\d+) is on timeline (\d+)$/,
    make:
      ([name = '', timeline = '']) =>
      (stage) =>
        stage.host(name).postgres.position()?.branch.timeline === Number(timeline),
  },
  {
    form: 'pg1 is held by R590',
    pattern: /^(pg\d+) is held by (R\d+)$/,
    make:
      ([name = '', rule = '']) =>
      (stage) =>
        stage.host(name).agent?.agent.explain().rule === rule,
  },
  {
    form: 'agent of pg1 has left',
    pattern: /^agent of (pg\d+) has left$/,
    make:
      ([name = '']) =>
      (stage) =>
        stage.host(name).agent === undefined,
  },
  {
    form: 'the switchover is done (or failed, or refused; or the failover, restart, reinit)',
    pattern: /^the (switchover|failover|restart|reinit) is (done|failed|refused|accepted)$/,
    make:
      ([what = '', how = '']) =>
      ({ answers }) => {
        const kind = what === 'reinit' ? 'reinitialize' : (what as 'switchover');
        return answers.get(kind)?.kind === how;
      },
  },
  {
    form: 'commits wait for pg2 (of the primary; or: for nobody)',
    pattern: /^commits wait for (pg\d+|nobody)$/,
    make:
      ([name = '']) =>
      ({ world }) => {
        const names = world.primary()?.postgres.synchronousStandbyNames;
        return name === 'nobody' ? names === '' : names?.includes(name) === true;
      },
  },
  {
    form: 'commits of pg1 are held (or acknowledged)',
    pattern: /^commits of (pg\d+) are (held|acknowledged)$/,
    make:
      ([name = '', what = '']) =>
      (stage) => {
        const { postgres } = stage.host(name);
        const held = !postgres.writable || postgres.holdsCommits;
        return postgres.state === 'primary' && held === (what === 'held');
      },
  },
  {
    form: 'no write for 5 s',
    pattern: /^no write for (\d+(?:\.\d+)? m?s)$/,
    make:
      ([millis = '']) =>
      ({ world }) =>
        world.now - (world.clients.lastAt ?? 0) > Number(millis),
  },
  {
    form: 'no acknowledged write is lost',
    pattern: /^no acknowledged write is lost$/,
    make:
      () =>
      ({ world }) => {
        const log = world.primary()?.postgres.position();
        return log !== undefined && world.clients.lostIn(log).length === 0;
      },
  },
];
