/** A write-ahead-log position: bytes since the beginning of the log. Compared as numbers, never as text. */
export type Lsn = bigint & { readonly __lsn: unique symbol };

export const lsn = (bytes: bigint): Lsn => bytes as Lsn;
export const LSN_ZERO: Lsn = lsn(0n);

const PATTERN = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;

/** Reads `16/B374D848`; undefined when it is no position. */
export function parseLsn(text: string): Lsn | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  return lsn((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`));
}

/** Writes `0/3000148`, as PostgreSQL does. */
export function formatLsn(position: Lsn): string {
  const high = (position >> 32n).toString(16).toUpperCase();
  const low = (position & 0xffffffffn).toString(16).toUpperCase();
  return `${high}/${low}`;
}

export const maxLsn = (a: Lsn, b: Lsn): Lsn => (a >= b ? a : b);

/** Bytes by which `behind` trails `ahead`; never negative. */
export const lagBytes = (ahead: Lsn, behind: Lsn): bigint => (ahead > behind ? ahead - behind : 0n);
