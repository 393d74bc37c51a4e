import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { WatchdogOrder } from '../core/watchdog.ts';
import type { OpenDevice } from './watchdog.ts';

const PING = '1';
/** Closed after this, the device stops. Closed in any other way it counts down. */
const STOP = 'V';

/**
 * Opens the device, which starts it, and answers what is wrong with it if it is no use: then it is
 * stopped again. All of it synchronous: between a look at the clock and a ping nothing may be waited
 * for. A device that hangs keeps the guardian from everything, and from pinging it, too.
 */
export function openDevice(order: WatchdogOrder): OpenDevice | string {
  let descriptor: number;
  try {
    // A named pipe that nobody reads must not keep the guardian waiting.
    descriptor = openSync(order.device, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    return `it cannot be opened: ${reasonOf(error)}`;
  }
  const device: OpenDevice = {
    ping: () => write(descriptor, PING),
    stop: () => {
      const failed = write(descriptor, STOP);
      close(descriptor);
      return failed;
    },
    abandon: () => {
      close(descriptor);
    },
  };
  const fault = setUp(descriptor, order);
  if (fault === undefined) return device;
  device.stop();
  return fault;
}

/** Now that nobody else can change it. Answers what is wrong with it. */
function setUp(descriptor: number, order: WatchdogOrder): string | undefined {
  try {
    const fault = order.driver === 'testing' ? announce(descriptor, order) : unfitness(order);
    return fault ?? write(descriptor, PING);
  } catch (error) {
    return `it cannot be set up: ${reasonOf(error)}`;
  }
}

/** The named pipe of a test is told what a device of the kernel is set to by an ioctl. */
function announce(descriptor: number, { timeoutMillis }: WatchdogOrder): string | undefined {
  return write(descriptor, `Ctimeout=${timeoutMillis / 1000}\n`);
}

function unfitness({ attributes, timeoutMillis }: WatchdogOrder): string | undefined {
  if (attributes === undefined) return 'its timeout cannot be read';
  const seconds = String(timeoutMillis / 1000);
  const found = readAttribute(attributes, 'timeout');
  if (found !== seconds) return `its timeout is ${found} s instead of ${seconds} s`;
  return readAttribute(attributes, 'nowayout') === '0'
    ? undefined
    : 'nowayout is set: it could not be stopped any more';
}

const readAttribute = (attributes: string, name: string): string =>
  readFileSync(join(attributes, name), 'latin1').trim();

/** Answers why it could not be written. */
function write(descriptor: number, text: string): string | undefined {
  try {
    writeSync(descriptor, text);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function close(descriptor: number): void {
  try {
    closeSync(descriptor);
  } catch {
    // A device that is gone has nothing to close.
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EBUSY') return 'another program holds it (EBUSY)';
  if (code === 'ENXIO') return 'nobody reads the named pipe (ENXIO)';
  return message;
}
