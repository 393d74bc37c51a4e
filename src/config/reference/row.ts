/** Which configuration may hold a key: `both` means local over dynamic. */
export type SettingLayer = 'local' | 'dynamic' | 'both';

/** One setting, as the documentation lists it. */
export interface SettingReference {
  /** Path with dots. `<role>` and `<method>` stand for a name. */
  readonly key: string;
  readonly layer: SettingLayer;
  /** Unit of a bare number, or the kind of the value. */
  readonly unit: string;
  /** Empty: none, the setting is unset. `required`: there must be one. */
  readonly default: string;
  readonly meaning: string;
}

export type Row = readonly [key: string, unit: string, initial: string, meaning: string];

/** Rows of one section, whose name is put before each key. */
export function rows(
  layer: SettingLayer,
  section: string,
  table: readonly Row[],
): readonly SettingReference[] {
  return table.map(([key, unit, initial, meaning]) => ({
    key: section === '' ? key : `${section}.${key}`,
    layer,
    unit,
    default: initial,
    meaning,
  }));
}
