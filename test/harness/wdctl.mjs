#!/usr/bin/env node
// As wdctl(8) of util-linux is called here: it opens the device, has it stop, sets its timeout by an ioctl
// and closes it. A directory beside the device stands for what the kernel shows of it.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const [option, seconds, device] = process.argv.slice(2);
const attributes = join(dirname(device), 'class', 'watchdog0');
const read = (name) => Number(readFileSync(join(attributes, name), 'latin1'));
if (option !== '--settimeout') process.exit(64);
if (read('driver_least') > Number(seconds)) {
  process.stderr.write(`wdctl: cannot set timeout for ${device}: Invalid argument\n`);
  process.exit(1);
}
writeFileSync(join(attributes, 'timeout'), `${seconds}\n`);
