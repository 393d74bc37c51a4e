import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { contents, ROOT } from './repository.ts';

interface Service {
  readonly image: string;
  readonly hostname?: string;
  readonly volumes?: readonly string[];
}

const compose = parse(contents('docker/compose.yaml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
};
const services = Object.values(compose.services);
const prometheus = parse(contents('docker/prometheus.yml')) as {
  readonly rule_files: readonly string[];
  readonly scrape_configs: readonly {
    readonly job_name: string;
    readonly static_configs: readonly { readonly targets: readonly string[] }[];
  }[];
};
const members = Object.keys(compose.services).filter((name) => name.startsWith('pg'));

describe('the files of docker/', () => {
  test('every image but Grafana can be made where there is no registry', () => {
    const dockerfile = contents('docker/Dockerfile');
    const defaults = new Map(
      [...dockerfile.matchAll(/^ARG (\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]),
    );
    const based = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image = '']) =>
      image.replace(/\$\{(\w+)\}/g, (_, name: string) => defaults.get(name) ?? ''),
    );
    const named = [...based, ...services.map(({ image }) => image)].filter(
      (image) => !/^(grafana|pgbaton)/.test(image),
    );
    const made = [...contents('docker/stand-ins.sh').matchAll(/^\w+=(\S+:\S+)$/gm)];
    expect(new Set(made.map(([, image]) => image))).toEqual(new Set(named));
  });

  test('what is mounted is there', () => {
    const missing = services
      .flatMap(({ volumes }) => volumes ?? [])
      .map((volume) => volume.split(':')[0] ?? '')
      .filter((path) => path.startsWith('.') && !existsSync(join(ROOT, 'docker', path)));
    expect(missing).toEqual([]);
  });

  test('Prometheus scrapes every member, by the name that the alerts look for, with all rules', () => {
    const [job] = prometheus.scrape_configs;
    expect(job?.job_name).toBe('pgbaton');
    expect(job?.static_configs.flatMap(({ targets }) => targets)).toEqual(
      members.map((name) => `${name}:8008`),
    );
    expect(prometheus.rule_files.map((path) => path.replace('pgbaton/', 'dashboards/'))).toEqual([
      'dashboards/recording.rules.yml',
      'dashboards/alerts.rules.yml',
    ]);
  });

  test('HAProxy sends to every member', () => {
    const named = [...contents('config/haproxy.cfg').matchAll(/^ {4}server (\w+) /gm)];
    expect([...new Set(named.map(([, name]) => name))]).toEqual(members);
  });
});
