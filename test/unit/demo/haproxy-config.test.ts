import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { renderHaproxyConfig } from '../../../src/demo/haproxy-server.ts';

const shipped = readFileSync(new URL('../../../config/haproxy.cfg', import.meta.url), 'utf8');

describe('the HAProxy configuration of a local cluster', () => {
  const rendered = renderHaproxyConfig(shipped, { primary: 1001, replicas: 1002, stats: 1003 }, [
    { name: 'a', postgresPort: 2001, restPort: 3001 },
    { name: 'b', postgresPort: 2002, restPort: 3002 },
  ]);

  it('puts the members into both sections and the ports into all three', () => {
    const changed = rendered.split('\n').filter((line) => /^ {4}(bind|server) /.test(line));
    expect(changed.map((line) => line.trim())).toEqual([
      'bind 127.0.0.1:1001',
      'server a 127.0.0.1:2001 check port 3001',
      'server b 127.0.0.1:2002 check port 3002',
      'bind 127.0.0.1:1002',
      'server a 127.0.0.1:2001 check port 3001',
      'server b 127.0.0.1:2002 check port 3002',
      'bind 127.0.0.1:1003',
    ]);
  });

  it('leaves every other line as it is shipped', () => {
    const others = (text: string): string[] =>
      text.split('\n').filter((line) => !/^ {4}(bind|server) /.test(line));
    expect(others(rendered)).toEqual(others(shipped));
  });
});
