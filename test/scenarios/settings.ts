/** What of its settings a transcript may change; all else has its default. */
export interface ScenarioSettings {
  readonly ttlMillis?: number;
  readonly heartbeatMillis?: number;
  readonly promoteTimeoutMillis?: number;
  readonly primaryStartTimeoutMillis?: number;
  readonly failsafe?: boolean;
  readonly synchronous?: 'on' | 'quorum' | 'strict';
  readonly reclone?: boolean;
}

interface SettingForm {
  readonly form: string;
  readonly values: RegExp;
  /** Times are given in milliseconds. */
  readonly make: (value: string) => ScenarioSettings;
}

const TIME = /^\d+(\.\d+)? m?s$/;
const SWITCH = /^(on|off)$/;

export const SETTINGS: ReadonlyMap<string, SettingForm> = new Map([
  ['ttl', { form: 'ttl 3 s', values: TIME, make: (ms) => ({ ttlMillis: Number(ms) }) }],
  [
    'heartbeat',
    { form: 'heartbeat 500 ms', values: TIME, make: (ms) => ({ heartbeatMillis: Number(ms) }) },
  ],
  [
    'promote timeout',
    {
      form: 'promote timeout 60 s',
      values: TIME,
      make: (ms) => ({ promoteTimeoutMillis: Number(ms) }),
    },
  ],
  [
    'primary start timeout',
    {
      form: 'primary start timeout 300 s',
      values: TIME,
      make: (ms) => ({ primaryStartTimeoutMillis: Number(ms) }),
    },
  ],
  [
    'failsafe',
    { form: 'failsafe on', values: SWITCH, make: (value) => ({ failsafe: value === 'on' }) },
  ],
  [
    'reclone',
    { form: 'reclone off', values: SWITCH, make: (value) => ({ reclone: value === 'on' }) },
  ],
  [
    'synchronous',
    {
      form: 'synchronous on (or quorum, or strict)',
      values: /^(on|quorum|strict)$/,
      make: (value) => ({ synchronous: value as 'on' | 'quorum' | 'strict' }),
    },
  ],
]);
