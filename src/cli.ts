#!/usr/bin/env node
import { runCli } from './cli/program.ts';
import { processTerminal } from './cli/terminal.ts';

/** The composition root of the agent is loaded only by the command that needs it. */
async function runAgent(argv: string[]): Promise<number> {
  const { runAgent: run } = await import('./main.ts');
  // Whatever is still open by then must not keep the next agent of this member from starting.
  return process.exit(await run(argv));
}

process.exitCode = await runCli(process.argv.slice(2), processTerminal(), { runAgent });
