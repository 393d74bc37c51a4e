/**
 * What a callback of simulated time answers when it has settled no promise: nothing has to be waited
 * for before the next event. Answering anything else, or nothing, is always right.
 */
export const QUIET: unique symbol = Symbol('quiet');
