import type { Explanation, MemberStatus } from '../agent/facade.ts';
import type { ClusterRecord } from '../core/cluster.ts';
import type { Settings } from '../core/settings.ts';

/** What a scrape sees, as of one moment. */
export interface Sample {
  readonly status: MemberStatus;
  readonly explanation: Explanation;
  /** What this member would tell one that considers taking over. */
  readonly canTakeOver: boolean;
  readonly alive: boolean;
  readonly process: { readonly startedAt: number; readonly memoryBytes: number };
  readonly settings: Settings;
  readonly version: string;
  readonly record: ClusterRecord | undefined;
  readonly eventLoopDelaySeconds: { readonly mean: number; readonly max: number };
}

/** One value with the labels it has beside scope and name. */
export interface Point {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A metric that is computed at scrape time. */
export interface SampledMetric {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly labels: readonly string[];
  readonly points: (sample: Sample) => readonly Point[];
}

export const bit = (value: boolean): number => (value ? 1 : 0);

export function sampled(
  type: SampledMetric['type'],
  name: string,
  help: string,
  value: (sample: Sample) => number | undefined,
): SampledMetric {
  return {
    name,
    type,
    help,
    labels: [],
    points: (sample) => {
      const number = value(sample);
      return number === undefined ? [] : [{ value: number }];
    },
  };
}

export const gauge = (
  name: string,
  help: string,
  value: (sample: Sample) => number | undefined,
): SampledMetric => sampled('gauge', name, help, value);

export const labelled = (
  name: string,
  help: string,
  labels: readonly string[],
  points: SampledMetric['points'],
): SampledMetric => ({ name, type: 'gauge', help, labels, points });
