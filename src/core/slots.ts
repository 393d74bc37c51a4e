const SLOT_NAME_LENGTH_MAX = 63;
const ALREADY_SLOT_NAME = /^[a-z0-9_]*$/;

/** Name of the physical slot that keeps WAL for a member, by Patroni's rule. */
export function slotNameFor(member: string): string {
  if (ALREADY_SLOT_NAME.test(member)) return member.slice(0, SLOT_NAME_LENGTH_MAX);
  const characters = Array.from(member.toLowerCase(), (character) => {
    if (/[a-z0-9_]/.test(character)) return character;
    if (character === '-' || character === '.') return '_';
    return `u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
  return characters.join('').slice(0, SLOT_NAME_LENGTH_MAX);
}
