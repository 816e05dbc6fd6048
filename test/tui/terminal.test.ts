import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { ps2Key } from '../../src/tui/ps2-keys.js';
import { InputFilter } from '../../src/tui/screen/input-filter.js';
import { plainLines } from '../../src/tui/screen/plain-lines.js';
import { SerialFilter } from '../../src/tui/screen/serial-filter.js';
import { SerialTerminal } from '../../src/tui/screen/serial-terminal.js';

const show = (terminal: SerialTerminal) => Array.from({ length: terminal.length }, (_, index) => terminal.text(index));
async function feed(text: string | Uint8Array, terminal = new SerialTerminal(10, 4)): Promise<SerialTerminal> {
  terminal.write(typeof text === 'string' ? new TextEncoder().encode(text) : text);
  await terminal.settled();
  return terminal;
}

describe('SerialTerminal', () => {
  it.each([
    ['ab\r\ncd', ['ab', 'cd']],
    ['ab\ncd', ['ab', 'cd']],
    ['ab\r\ncd\nef', ['ab', 'cd', '  ef']],
    ['a\rb\ncd', ['b', 'cd']],
    ['a\x1b\nqb', ['a', 'b']],
    ['ab\rX', ['Xb']],
    ['ab\b\bX', ['Xb']],
    ['a\tb', ['a       b']],
    ['0123456789ab', ['0123456789', 'ab']],
    ['1\r\n2\r\n3\r\n4\r\n5', ['1', '2', '3', '4', '5']],
    ['\x1b[2;3Hx', ['', '  x']],
    ['abc\x1b[2Dz', ['azc']],
    ['abc\x1b[H\x1b[K!', ['!']],
    ['abc\r\ndef\x1b[2J\x1b[Hx', ['x']],
    ['abcdef\x1b[3G\x1b[1K', ['   def']],
    ['a\x1b[31;1mb\x1b[0mc', ['abc']],
    ['a\x1b]0;title\x07b\x1b]2;x\x1b\\c', ['abc']],
    ['a\x1b(Bb\x1b[?25lc', ['abc']],
    ['a\x1b7\x1b[3;3Hz\x1b8b', ['ab', '', '  z']],
    ['x\x1b[999;999Hy', ['x', '', '', '         y']],
    ['\x1b[', ['']],
    // what the own terminal did not know: regions that scroll, lines that go in, a screen beside the first
    ['1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\n\x1b[r', ['1', '3', '', '4']],
    ['1\r\n2\r\n3\x1b[2;1H\x1b[L+', ['1', '+', '2', '3']],
    ['1\r\n2\x1b[1;1H\x1bM0', ['0', '1', '2']],
    ['abcd\x1b[1;2H\x1b[2P\x1b[@-', ['a-d']],
    ['first\x1b[?1049h\x1b[Hother\x1b[?1049l', ['first']],
    ['\x1b(0lqk\x1b(B', ['┌─┐']],
  ])('%j', async (input, expected) => {
    expect(show(await feed(input)).slice(0, expected.length)).toEqual(expected);
  });

  it('takes sequences and characters cut anywhere', async () => {
    const terminal = new SerialTerminal(10, 4);
    for (const byte of new TextEncoder().encode('é\x1b[2;2Hñ\x1b[1mz')) terminal.write(Uint8Array.of(byte));
    await terminal.settled();
    expect(show(terminal)).toEqual(['é', ' ñz']);
    expect(terminal.cursor).toEqual({ line: 1, column: 3 });
  });

  it('keeps colours, bright when bold, those of the palette and of 24 bits', async () => {
    const line = (await feed('\x1b[31ma\x1b[1mb\x1b[7mc\x1b[0md\x1b[38;5;208me\x1b[38;2;255;0;0mf')).line(0);
    expect(line.map((cell) => [cell.foreground, cell.background])).toEqual([
      [1, -1],
      [9, -1],
      [0, 9],
      [-1, -1],
      [208, -1],
      [196, -1],
    ]);
  });

  it('shows nothing of before a reset, and what comes behind it', async () => {
    const terminal = new SerialTerminal(10, 4);
    terminal.write(new TextEncoder().encode('before'));
    terminal.reset();
    expect(show(await feed('after', terminal))).toEqual(['after']);
    terminal.write(new TextEncoder().encode(' more'));
    terminal.reset();
    expect(terminal.used).toBe(false);
    expect(show(await feed('new', terminal))).toEqual(['new']);
  });

  it('bounds its history and survives noise, and numbers that would take for ever', async () => {
    const terminal = new SerialTerminal(10, 4);
    await feed(Array.from({ length: 3000 }, (_, n) => `${n}\r\n`).join(''), terminal);
    expect(terminal.length).toBe(2004);
    for (const final of 'STLMPX@bABCDEFGHIZJKde`ar')
      await feed(`x\x1b[2147483647${final}\x1b[999999999999;2147483647${final}\u009b2147483647${final}`, terminal);
    let seed = 1;
    const noise = Uint8Array.from({ length: 50_000 }, () => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return (seed >> 8) % 3 === 0 ? [0x1b, 0x5b, 0x3b, 0x48, 0x4a, 0x39][(seed >> 12) % 6]! : seed >> 16;
    });
    await feed(noise, terminal);
    expect(terminal.length).toBeLessThanOrEqual(2004);
    expect(terminal.cursor.column).toBeLessThan(10);
    for (let index = 0; index < terminal.length; index++) expect(terminal.line(index).length).toBeLessThanOrEqual(10);
  });

  it('answers what a guest asks its terminal, to who wants that', async () => {
    const terminal = new SerialTerminal(10, 4);
    await feed('ab\x1b[6n', terminal);
    const replies: string[] = [];
    terminal.onReply = (text) => replies.push(text);
    await feed('\x1b[6n', terminal);
    expect(replies).toEqual(['\x1b[1;3R']);
  });
});

describe('plain lines', () => {
  it('have no sequences, and what was written over others', () => {
    const lines = (text: string, columns = 20) => plainLines(Buffer.from(text), columns);
    expect(lines('\x1b[1;32mok\x1b[0m\r\n\x1b]0;title\x07ab\rX\nq\bé\tz\x1b(B')).toEqual(['ok', 'Xb', 'é       z']);
    expect(lines('0123456789', 4)).toEqual(['0123', '4567', '89']);
    expect(lines('a\n\nb\x1b[')).toEqual(['a', '', 'b']);
  });
});

describe('SerialFilter', () => {
  it('bounds parameters, wherever they are cut, and nothing else', () => {
    const take = (...parts: string[]) => {
      const filter = new SerialFilter();
      return parts.map((part) => Buffer.from(filter.take(Buffer.from(part))).toString()).join('');
    };
    expect(take('\x1b[99', '999;0012;3', 'Hx99999\r\n')).toBe('\x1b[255;12;3Hx99999\r\n');
    expect(take('\x1b[?1049h\x1b[?123456l\x1b[1000m')).toBe('\x1b[?1049h\x1b[?9999l\x1b[255m');
    expect(take('\u009b7777S\x1b[38;2;255;128;0m1234')).toBe('\u009b255S\x1b[38;2;255;128;0m1234');
    expect(take('a\nb\r\nc\nd')).toBe('a\r\nb\r\nc\nd');
  });
});

/** What comes out of a filter for chunks that arrive 2 ms apart; an empty one is a pause. */
async function filter(chunks: string[], setUp?: (filter: InputFilter) => void): Promise<string[]> {
  const terminal = new PassThrough();
  const input = new InputFilter(terminal);
  const keys: string[] = [];
  input.on('data', (data: Buffer) => keys.push(data.toString()));
  setUp?.(input);
  for (const chunk of chunks) {
    terminal.write(chunk);
    await new Promise((resolve) => setTimeout(resolve, chunk ? 2 : 60));
  }
  await new Promise((resolve) => setTimeout(resolve, 40));
  input.release();
  return keys;
}

describe('InputFilter', () => {
  it.each([
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [['ab'], ['a', 'b']],
    [['\x1b', '[A'], ['\x1b[A']],
    [['\x1b[1', ';5C'], ['\x1b[1;5C']],
    [['\x1bO', 'P'], ['\x1bOP']],
    [['\x1b'], ['\x1b']],
    [['\x1b[A\x1b[Bq'], ['\x1b[A', '\x1b[B', 'q']],
    [['\x1b[<0;200;40M'], ['\x1b[<0;200;40M']],
    [['\x1b[?62;4c', 'x'], ['x']],
    [['\x1b[24;80R', 'x'], ['x']],
    [['\x1b]11;rgb:1/2/3\x1b\\x'], ['x']],
    [['\x1b[6;18;9tx'], ['x']],
    [['\x1b_Gi=31;OK\x1b\\x'], ['x']],
    [['\x1b[?1;0;256Sx'], ['x']],
    [['\x1bP1$r0m\x1b\\x'], ['x']],
    [['\x1b[97;5ux'], ['x']],
    [['😀x'], ['x']],
    [['\x1b[200~rm -rf\r\x1b[201~x'], ['x']],
  ])('%j', async (chunks, keys) => {
    expect(await filter(chunks)).toEqual(keys);
  });

  it('gives pasted text in one piece, also when it comes in parts', async () => {
    const pasted: string[] = [];
    await filter(['\x1b[20', '0~one\r', 'two\x1b[20', '1~'], (input) => {
      input.onPaste = (text) => pasted.push(text);
    });
    expect(pasted).toEqual(['one\rtwo']);
  });

  it('takes no part of a paste that comes with pauses for keys', async () => {
    const pasted: string[] = [];
    const keys = await filter(['\x1b[200~one', '', 'q', '', '\x1b[201~x'], (input) => {
      input.onPaste = (text) => pasted.push(text);
    });
    expect(pasted).toEqual(['oneq']);
    expect(keys).toEqual(['x']);
  });

  it('takes no part of an answer that comes slowly for keys, nor of rubbish without an end', async () => {
    const replies: string[] = [];
    const expecting = (input: InputFilter): void => {
      input.expecting = true;
      input.onReply = (reply) => replies.push(reply);
    };
    const slow = ['\x1b_Gi=31;O', '', 'K\x1b', '', '\\\x1b[6;18', '', ';9tx'];
    expect(await filter(slow, expecting)).toEqual(['x']);
    expect(replies).toEqual(['\x1b_Gi=31;OK\x1b\\', '\x1b[6;18;9t']);
    const rubbish = ['\x1bP', 'q'.repeat(5000), 'q'.repeat(100_000), 'q\x1b', '\\x'];
    expect(await filter(rubbish, expecting)).toEqual(['x']);
    // what has no end is over when nothing comes for long
    const endless = [`\x1b_${'q'.repeat(5000)}`, ...new Array<string>(10).fill(''), 'x'];
    expect(await filter(endless)).toEqual(['x']);
  });

  it('gives the mouse to who takes it first, and the rest of it to the others', async () => {
    const taken: string[] = [];
    const rest = await filter(['\x1b[<0;1;1M\x1b[<0;9;9M\x1b[<200;9;9M'], (input) => {
      input.captureMouse = ({ x, kind }) => {
        taken.push(`${kind} ${x}`);
        return x < 5;
      };
    });
    expect(taken).toEqual(['down 0', 'down 8']);
    expect(rest).toEqual(['\x1b[<0;9;9M', '\x1b[<200;9;9M']);
  });

  it('sends keys to the capture untouched, the mouse past it', async () => {
    const captured: string[] = [];
    const rest = await filter(['q\x1b[A', '\x1b[<0;1;1M', '\x03é'], (input) => {
      input.capture = (sequence) => captured.push(sequence);
    });
    expect(captured).toEqual(['q', '\x1b[A', '\x03', 'é']);
    expect(rest).toEqual(['\x1b[<0;1;1M']);
  });
});

describe('ps2Key', () => {
  it.each([
    ['a', ['a']],
    ['A!', ['A', '!']],
    ['\r', ['Enter']],
    ['\x1b', ['Escape']],
    ['\x1b[5~', ['PageUp']],
    ['\x1bOP', ['F1']],
    ['\x03', ['ctrl-c']],
    ['\x1bx', ['alt-x']],
    ['\x1b[99;9Z', []],
  ])('%j', (sequence, names) => {
    expect(ps2Key(sequence)).toEqual(names);
  });
});
