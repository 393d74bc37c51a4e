import type { Scenario, Step } from './parse.ts';
import { Stage } from './stage.ts';
import type { StoryLine } from './story.ts';

export interface Performance {
  /** Undefined: all was as expected. */
  readonly failure: string | undefined;
  readonly story: readonly StoryLine[];
  readonly text: readonly string[];
}

/** Runs a transcript in a world of its own, which `onStage` is shown before anything happens in it. */
export async function perform(
  scenario: Scenario,
  onStage: (stage: Stage) => void = () => undefined,
): Promise<Performance> {
  const stage = new Stage(scenario.members, scenario.settings);
  onStage(stage);
  if (scenario.steps.every(({ kind }) => kind !== 'found')) stage.story.begin();
  let failure: string | undefined;
  for (const step of scenario.steps) {
    failure = await take(stage, step);
    if (failure !== undefined) break;
  }
  const { lines } = stage.story;
  return { failure, story: lines, text: stage.story.text() };

  async function take(stage: Stage, step: Step): Promise<string | undefined> {
    const why = await outcomeOf(stage, step).catch((error: unknown) => String(error));
    const wrong = wrongOf(stage) ?? why;
    if (wrong === undefined) return undefined;
    const where = `${scenario.path}:${step.line}: ${step.text}`;
    return [`${where}\n  ${wrong}`, ...stage.story.text(), ...stage.world.explain()].join('\n');
  }
}

function wrongOf({ world, broken }: Stage): string | undefined {
  const [violation] = world.violations;
  if (violation !== undefined) return `${violation.rule}: ${violation.what}`;
  return broken === undefined ? undefined : `this was never to be: ${broken}`;
}

/** Undefined: it went well. */
async function outcomeOf(stage: Stage, step: Step): Promise<string | undefined> {
  switch (step.kind) {
    case 'found':
      return (await stage.found(step.first)) ? undefined : 'the cluster was not founded';
    case 'wait':
      await stage.run(step.millis);
      return undefined;
    case 'do':
      stage.story.does(step.text);
      step.verb(stage);
      stage.story.look();
      return undefined;
    case 'never':
      stage.forbid(step.text, () => step.of(stage));
      return undefined;
    case 'within': {
      const held = await stage.until(() => step.of(stage), step.millis);
      return held ? undefined : 'it did not come true in time';
    }
    case 'throughout': {
      if (!step.of(stage)) return 'it is not so at the beginning';
      const ended = await stage.until(() => !step.of(stage), step.millis);
      return ended ? 'it did not stay so' : undefined;
    }
  }
}
