import { join } from 'node:path';
import type { Result } from '../../src/core/result.ts';
import { fail, ok } from '../../src/core/result.ts';
import type { Millis } from '../../src/core/time.ts';
import { REPOSITORY } from '../../src/demo/binaries.ts';
import { runCommand } from '../../src/demo/command.ts';

type Report = (line: string) => void;

const BUILD_TIMEOUT_MILLIS: Millis = 600_000;
const PULL_SECONDS = '20';

/** What the images of compose.yaml are made from, by whatever way this machine has. */
export async function provideImages(host: string, report: Report): Promise<Result<void>> {
  return run(host, report, join(REPOSITORY, 'docker/stand-ins.sh'), []);
}

/**
 * Builds the member's image as a person does, but on the network of this machine: testcontainers cannot
 * choose it, and an engine of our own gives builds no way out. `build` makes it a new one of the same content.
 */
export async function buildMember(
  host: string,
  major: string,
  build = '1',
  report: Report = () => undefined,
): Promise<Result<void>> {
  const args = ['build', '--quiet', '--network=host', '--file=docker/Dockerfile'];
  const made = [`--build-arg=PG_MAJOR=${major}`, `--label=pgbaton.build=${build}`];
  return run(host, report, 'docker', [...args, ...made, `--tag=pgbaton:${major}`, '.']);
}

async function run(
  host: string,
  report: Report,
  program: string,
  args: readonly string[],
): Promise<Result<void>> {
  const { code, lines } = await runCommand(program, args, {
    timeoutMillis: BUILD_TIMEOUT_MILLIS,
    cwd: REPOSITORY,
    // The classic builder: the other one is a plugin that few packages bring.
    env: { ...process.env, DOCKER_HOST: host, DOCKER_BUILDKIT: '0', PULL_SECONDS },
    onLine: report,
  });
  if (code === 0) return ok(undefined);
  return fail('image-not-made', `${program} ${args.join(' ')}\n${lines.slice(-30).join('\n')}`);
}
