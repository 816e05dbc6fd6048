import { describe, expect, test } from 'vitest';
import { encodeLittleEndian } from '../../src/rsp/hex.js';
import { encodePacket, expandRuns, PacketParser, unescapePayload } from '../../src/rsp/packet.js';

const parse = (text: string, limit = 100): unknown[] => new PacketParser(limit).push(Buffer.from(text, 'latin1'));

describe('framing', () => {
  test('a packet has a two-digit checksum', () => {
    expect(encodePacket('OK').toString('latin1')).toBe('$OK#9a');
    expect(encodePacket('').toString('latin1')).toBe('$#00');
    expect(encodePacket('\u0001').toString('latin1')).toBe('$\u0001#01');
  });

  test('replies escape the four special bytes, and the parser’s counterpart undoes it', () => {
    const all = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
    const wire = encodePacket(all).toString('latin1');
    expect(wire).toContain('}\u0003');
    expect(wire.slice(1, -3)).not.toMatch(/[#$*]/);
    expect(unescapePayload(wire.slice(1, -3))).toBe(all);
  });

  test('packets, acknowledgements and the interrupt byte in one stream', () => {
    expect(parse('+$OK#9a-\u0003$g#67')).toEqual([
      { kind: 'ack' },
      { kind: 'packet', payload: 'OK' },
      { kind: 'nak' },
      { kind: 'interrupt' },
      { kind: 'packet', payload: 'g' },
    ]);
  });

  test('any split of the bytes gives the same events', () => {
    const text = '+$m1000,4#8e\u0003$vCont?#49junk$#00';
    for (let cut = 0; cut <= text.length; cut++) {
      const parser = new PacketParser(100);
      const events = [
        ...parser.push(Buffer.from(text.slice(0, cut), 'latin1')),
        ...parser.push(Buffer.from(text.slice(cut), 'latin1')),
      ];
      expect(events).toEqual(parse(text));
    }
    expect(parse(text)).toHaveLength(5);
  });

  test('with acknowledgements off a packet that comes whole is what its bytes one by one are', () => {
    const long = 'm'.repeat(63);
    for (const text of [
      '$s#73',
      '$#00',
      '$s#zz',
      '$a$b#62',
      '$s#73$g#67',
      '+$s#73',
      '$a}\u0003#81',
      `$${long}#00`,
      `$${long}m#00`,
      '$s#7',
    ]) {
      for (const limit of [20, 1000]) {
        const [whole, single] = [new PacketParser(limit), new PacketParser(limit)];
        whole.ignoreChecksum = single.ignoreChecksum = true;
        const events = [text, '3$g#67'].flatMap((part) => whole.push(Buffer.from(part, 'latin1')));
        const each = [...`${text}3$g#67`].flatMap((byte) => single.push(Buffer.from(byte, 'latin1')));
        expect(events, `${text}, limit ${limit}`).toEqual(each);
      }
    }
  });

  test('registers are written as their bytes lie in memory', () => {
    expect([1, 2, 4, 8].map((bytes) => encodeLittleEndian(0x8000000000000102n, bytes))).toEqual([
      '02',
      '0201',
      '02010000',
      '0201000000000080',
    ]);
    expect([10, 16].map((bytes) => encodeLittleEndian(-1n, bytes))).toEqual(['f'.repeat(20), 'f'.repeat(32)]);
    expect(encodeLittleEndian(-2n, 8)).toBe('feffffffffffffff');
    expect(encodeLittleEndian((1n << 79n) | 1n, 10)).toBe('01000000000000000080');
  });

  test('the input buffer may be reused by its owner', () => {
    const parser = new PacketParser(100);
    const buffer = Buffer.from('$hel');
    parser.push(buffer);
    buffer.fill(0x58);
    expect(parser.push(Buffer.from('lo#14'))).toEqual([{ kind: 'packet', payload: 'hello' }]);
  });

  test('a wrong or malformed checksum is corrupt, unless acknowledgements are off', () => {
    expect(parse('$OK#9b')).toEqual([{ kind: 'corrupt' }]);
    expect(parse('$OK#zz')).toEqual([{ kind: 'corrupt' }]);
    const parser = new PacketParser(100);
    parser.ignoreChecksum = true;
    expect(parser.push(Buffer.from('$OK#00'))).toEqual([{ kind: 'packet', payload: 'OK' }]);
  });

  test('a $ inside a packet starts it anew', () => {
    expect(parse('$m10$g#67')).toEqual([{ kind: 'packet', payload: 'g' }]);
  });

  test('a packet longer than the limit is dropped as one, and the next is read', () => {
    expect(parse(`$${'a'.repeat(101)}#00$g#67`)).toEqual([{ kind: 'oversized' }, { kind: 'packet', payload: 'g' }]);
  });

  test('an endless packet holds no more than the limit', () => {
    const parser = new PacketParser(1000);
    parser.push(Buffer.from('$'));
    const chunk = Buffer.alloc(65536, 0x61);
    const before = process.memoryUsage().arrayBuffers;
    for (let turn = 0; turn < 500; turn++) expect(parser.push(chunk)).toEqual([]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 << 20);
    expect(parser.push(Buffer.from('#00'))).toEqual([{ kind: 'oversized' }]);
  });

  test('a packet of a megabyte in small pieces takes linear time', () => {
    const parser = new PacketParser(1 << 22);
    const packet = encodePacket('a'.repeat(1 << 20));
    const started = performance.now();
    let events: unknown[] = [];
    for (let at = 0; at < packet.length; at += 16) events = events.concat(parser.push(packet.subarray(at, at + 16)));
    expect(events).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('run-length encoding', () => {
  test.each([
    ['0* ', '0000'],
    ['xx0*!y', 'xx00000y'],
    ['a*"b* ', 'aaaaaabbbb'],
    ['plain', 'plain'],
  ])('%j is %j', (encoded, plain) => {
    expect(expandRuns(encoded)).toBe(plain);
  });

  test.each(['*a', 'a*', 'a*\u001f', 'a*\u007f'])('%j is malformed', (encoded) => {
    expect(expandRuns(encoded)).toBeUndefined();
  });
});
