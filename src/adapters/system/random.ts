import { randomBytes } from 'node:crypto';
import type { Random } from '../../ports/clock.ts';

const ID_BYTES = 12;
const FRACTION_BITS = 32;

export const systemRandom: Random = {
  id: () => randomBytes(ID_BYTES).toString('base64url'),
  fraction: () => randomBytes(4).readUInt32BE() / 2 ** FRACTION_BITS,
};
