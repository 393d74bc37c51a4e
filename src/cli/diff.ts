/** One line of an edit script. */
interface Edit {
  readonly kind: ' ' | '-' | '+';
  readonly line: string;
}

const CONTEXT_LINES = 3;

/** Longest common subsequence by table: configurations have hundreds of lines, not thousands. */
function editScript(before: readonly string[], after: readonly string[]): Edit[] {
  const width = after.length + 1;
  const common = new Uint32Array((before.length + 1) * width);
  const at = (row: number, column: number): number => common[row * width + column] ?? 0;
  for (let row = before.length - 1; row >= 0; row--) {
    for (let column = after.length - 1; column >= 0; column--) {
      common[row * width + column] =
        before[row] === after[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const edits: Edit[] = [];
  let row = 0;
  let column = 0;
  while (row < before.length || column < after.length) {
    const old = before[row];
    const fresh = after[column];
    if (old !== undefined && old === fresh) {
      edits.push({ kind: ' ', line: old });
      row++;
      column++;
    } else if (
      old !== undefined &&
      (fresh === undefined || at(row + 1, column) >= at(row, column + 1))
    ) {
      edits.push({ kind: '-', line: old });
      row++;
    } else {
      edits.push({ kind: '+', line: fresh ?? '' });
      column++;
    }
  }
  return edits;
}

/** Groups of edits with their context, as [from, to) of the script. */
function hunks(edits: readonly Edit[]): { from: number; to: number }[] {
  const groups: { from: number; to: number }[] = [];
  edits.forEach((edit, index) => {
    if (edit.kind === ' ') return;
    const from = Math.max(0, index - CONTEXT_LINES);
    const to = Math.min(edits.length, index + CONTEXT_LINES + 1);
    const last = groups.at(-1);
    if (last !== undefined && from <= last.to) last.to = to;
    else groups.push({ from, to });
  });
  return groups;
}

const count = (edits: readonly Edit[], without: '-' | '+'): number =>
  edits.filter((edit) => edit.kind !== without).length;

const range = (start: number, length: number): string =>
  length === 1 ? String(start + 1) : `${length === 0 ? start : start + 1},${length}`;

/** Unified diff of two texts as lines without line ends; empty when they are equal. */
export function unifiedDiff(before: string, after: string): readonly string[] {
  const lines = (text: string): string[] =>
    text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const edits = editScript(lines(before), lines(after));
  return hunks(edits).flatMap(({ from, to }) => {
    const lead = edits.slice(0, from);
    const body = edits.slice(from, to);
    const old = range(count(lead, '+'), count(body, '+'));
    const fresh = range(count(lead, '-'), count(body, '-'));
    return [`@@ -${old} +${fresh} @@`, ...body.map((edit) => edit.kind + edit.line)];
  });
}
