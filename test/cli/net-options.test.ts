import { describe, expect, it } from 'vitest';
import { parseNet } from '../../src/cli/net-options.js';

describe('--net', () => {
  it('reads none, a MAC and forwards', () => {
    expect(parseNet('none')).toBeUndefined();
    expect(parseNet('user')).toEqual({ mac: [0x52, 0x54, 0, 0x12, 0x34, 0x56], forwards: [] });
    expect(parseNet('user,mac=02:00:00:00:00:0A,hostfwd=tcp::2222-:22,hostfwd=tcp:0.0.0.0:80-10.0.2.15:8080')).toEqual({
      mac: [2, 0, 0, 0, 0, 10],
      forwards: [
        { address: '127.0.0.1', port: 2222, guestPort: 22 },
        { address: '0.0.0.0', port: 80, guestPort: 8080 },
      ],
    });
  });

  it("reads a model by QEMU's names, and lists them where it is none", () => {
    expect(parseNet('user,model=e1000')?.model).toBe('e1000');
    expect(parseNet('user,model=virtio-net-pci')?.model).toBe('virtio');
    expect(() => parseNet('user,model=ne2k')).toThrow(/model=ne2k is not virtio.* or .*; usage: .*virtio\|e1000/);
  });

  it('reads what DHCP and TFTP offer; a comma in a name is doubled', () => {
    expect(parseNet('user,tftp=/usr,bootfile=grub/a,,b.0,hostname=node-1.lan')).toMatchObject({
      ...{ tftp: '/usr', bootFile: 'grub/a,b.0', hostName: 'node-1.lan' },
    });
  });

  it('says of IPv6 that there is none, and takes the words that say the same', () => {
    expect(parseNet('user,ipv6=off,ipv4=on')).toEqual(parseNet('user'));
    for (const word of ['ipv6=on', 'ipv6-net=fec0::/64', 'ipv6-host=fec0::2'])
      expect(() => parseNet(`user,${word}`)).toThrow(
        `--net user,${word}: ${word}: the network is IPv4 alone, and no router answers a guest's IPv6; usage: none or user`,
      );
  });

  it.each([
    'user,tftp=/etc/passwd',
    'user,tftp=/nowhere',
    'user,tftp',
    'user,bootfile=',
    `user,bootfile=${'x'.repeat(128)}`,
    'user,hostname=a b',
    'user,hostname',
    'tap',
    'user,ipv6',
    'user,ipv6=maybe',
    'user,mac=1:2:3',
    'user,mac=01:00:00:00:00:00',
    'user,hostfwd=udp::1-:2',
    'user,hostfwd=tcp::70000-:2',
    'user,hostfwd=tcp:host:1-:2',
    'user,hostfwd=tcp::1-10.0.2.99:2',
    'user,hostfwd',
  ])('refuses %s', (text) => {
    expect(() => parseNet(text)).toThrow(`--net ${text}: `);
  });
});
