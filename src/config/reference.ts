import { DYNAMIC_SETTINGS } from './reference/dynamic.ts';
import { LOCAL_SETTINGS } from './reference/local.ts';
import { POSTGRESQL_SETTINGS } from './reference/postgresql.ts';
import type { SettingReference } from './reference/row.ts';

/** Every setting with unit, default and meaning: what documentation and JSON schema are made from. */
export const SETTINGS_REFERENCE: readonly SettingReference[] = [
  ...LOCAL_SETTINGS,
  ...POSTGRESQL_SETTINGS,
  ...DYNAMIC_SETTINGS,
];

const ROLES = ['superuser', 'replication', 'rewind'];

/** The row of a path with dots, of the local or (under `bootstrap.dcs`) the dynamic configuration. */
export function findSetting(path: string): SettingReference | undefined {
  const dynamic = path.startsWith('bootstrap.dcs.');
  const plain = dynamic ? path.slice('bootstrap.dcs.'.length) : path;
  const names = [plain, ...ROLES.map((role) => plain.replace(`.${role}.`, '.<role>.'))];
  return SETTINGS_REFERENCE.find(({ key }) => names.includes(key));
}
