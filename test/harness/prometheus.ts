import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Millis } from '../../src/core/time.ts';
import type { PrometheusBinaries } from '../../src/demo/binaries.ts';
import { freePort } from '../../src/demo/ports.ts';
import { ProcessHandle } from '../../src/demo/process-handle.ts';
import { requirePrometheus } from '../../src/demo/provision.ts';
import type { RunDirectory } from '../../src/demo/run-directory.ts';
import { DASHBOARDS } from './expressions.ts';

const READY_TIMEOUT_MILLIS: Millis = 30_000;
const REQUEST_TIMEOUT_MILLIS: Millis = 10_000;
const STOP_GRACE_MILLIS: Millis = 5_000;
/** Short, so that a run of seconds holds enough. */
const INTERVAL = '250ms';
const STEP_SECONDS = 0.5;

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly values: readonly number[];
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly values: readonly (readonly [number, string])[];
    }[];
  };
}

export function prometheusBinaries(): PrometheusBinaries {
  const found = requirePrometheus(process.env);
  if (found.ok) return found.value;
  throw new Error(`${found.error.message}: ${found.error.remedy ?? ''} (npm test does that)`);
}

/** A real Prometheus that scrapes these targets and evaluates the rules of the folder dashboards. */
export class TestPrometheus {
  readonly #url: string;
  readonly #process: ProcessHandle;

  private constructor(url: string, handle: ProcessHandle) {
    this.#url = url;
    this.#process = handle;
  }

  static async start(run: RunDirectory, targets: readonly string[]): Promise<TestPrometheus> {
    const folder = join(run.path, 'prometheus');
    mkdirSync(folder, { mode: 0o700 });
    const port = await freePort();
    const file = join(folder, 'prometheus.yml');
    writeFileSync(
      file,
      stringify({
        global: {
          scrape_interval: INTERVAL,
          scrape_timeout: INTERVAL,
          evaluation_interval: INTERVAL,
        },
        rule_files: ['recording.rules.yml', 'alerts.rules.yml'].map((name) =>
          join(DASHBOARDS, name),
        ),
        scrape_configs: [{ job_name: 'pgbaton', static_configs: [{ targets }] }],
      }),
    );
    const handle = new ProcessHandle({
      name: 'prometheus',
      program: prometheusBinaries().server,
      args: [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      logFile: run.logFile('prometheus'),
      env: { PATH: process.env['PATH'] ?? '', HOME: folder, GOMAXPROCS: '1' },
    });
    const url = `http://127.0.0.1:${port}`;
    await handle.whenReady(async () => (await fetch(`${url}/-/ready`)).ok, READY_TIMEOUT_MILLIS);
    return new TestPrometheus(url, handle);
  }

  /** All values that an expression had between two moments, in seconds since the epoch. */
  async range(expression: string, from: number, to: number): Promise<readonly Series[]> {
    const query = new URLSearchParams({
      query: expression,
      start: String(from),
      end: String(to),
      step: String(STEP_SECONDS),
    });
    const reply = await fetch(`${this.#url}/api/v1/query_range`, {
      method: 'POST',
      body: query,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MILLIS),
    });
    const answer = (await reply.json()) as Answer;
    if (answer.status !== 'success') throw new Error(`${expression}: ${answer.error ?? ''}`);
    return answer.data.result.map(({ metric, values }) => ({
      labels: metric,
      values: values.map(([, value]) => Number(value)),
    }));
  }

  async stop(): Promise<void> {
    await this.#process.stop(STOP_GRACE_MILLIS);
  }
}
