import type { Result } from '../core/result.ts';
import type { Millis } from '../core/time.ts';

/** What of a member the service shows; words as published in `members/<name>`. */
export interface ServiceFacts {
  readonly role: string;
  readonly state: string;
  /** `postgres://host:port/database`. */
  readonly connUrl: string;
  /** `http[s]://host:port/patroni`. */
  readonly apiUrl: string;
}

/** The member as a service that others can look up. Routing only: nothing decides by it. */
export interface ServiceRegistry {
  /** Makes the registry agree with these facts; cheap when it does. */
  publish(facts: ServiceFacts, timeoutMillis: Millis): Promise<Result<void>>;
  withdraw(timeoutMillis: Millis): Promise<Result<void>>;
}
