import { describe, expect, it } from 'vitest';
import { layOutTable } from '../../../src/demo/screen.ts';

describe('the table of the demo', () => {
  it('aligns columns by the visible text, numbers on the right', () => {
    const painted = (style: string, text: string): string => (style === 'bad' ? `<${text}>` : text);
    const lines = layOutTable(
      ['event', 'gap'],
      [
        [{ text: 'host loss' }, { text: '3.31 s', right: true }],
        [{ text: 'x' }, { text: '10.00 s', right: true, tone: 'bad' }],
      ],
      painted,
    );
    expect(lines).toEqual(['event          gap', 'host loss   3.31 s', 'x          <10.00 s>']);
  });
});
