/** A failure of what is tried here, not of this program: its message is all that a person has to see. */
export class DemoError extends Error {
  override readonly name: string = 'DemoError';
}
