import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LineTable } from '../../src/disasm/dwarf-line.js';
import { named, requireTool } from '../tools.js';

const tools = ['as', 'ld', 'addr2line', 'objcopy'].map(requireTool);
const [as, ld, addr2line, objcopy] = tools;
const available = tools.every((tool) => tool.available);

// lines far apart need the long opcodes; a second section is a second sequence, a dropped one stands at 0
const SOURCE = `.globl _start
.text
_start:
  nop
  nop
${'\n'.repeat(300)}
  mov $1, %eax
  .rept 600
  nop
  .endr
  ret
.include "inner/part.inc"
.section .other, "ax"
other:
  nop
  ret
`;
const PART = `part:
  inc %rax
  .skip 70000, 0x90
  ret
`;

let folder: string;

function build(...options: string[]): string {
  const file = join(folder, `out${options.join('')}`);
  execFileSync(as.path, [...options, '-o', 'out.o', 'main.S'], { cwd: folder });
  execFileSync(ld.path, ['-Ttext=0xffffffff81000000', '--section-start=.other=0x400000', '-o', file, 'out.o'], {
    cwd: folder,
  });
  return file;
}

describe.skipIf(!available)(named('line table', ...tools), () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-lines-'));
    execFileSync('mkdir', [join(folder, 'inner')]);
    writeFileSync(join(folder, 'main.S'), SOURCE);
    writeFileSync(join(folder, 'inner/part.inc'), PART);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(['2', '3', '4', '5'])('DWARF %s: every address as addr2line says', (version) => {
    const file = build(`--gdwarf-${version}`);
    const table = LineTable.read(readFileSync(file))!;
    const addresses: bigint[] = [0x3fffffn, 0x400000n, 0x400001n, 0x400002n, 0xffffffff80ffffffn];
    for (let at = 0n; at < 80_000n; at += at < 700n ? 1n : 997n) addresses.push(0xffffffff81000000n + at);
    const asked = addresses.map((address) => `0x${address.toString(16)}`);
    const told = execFileSync(addr2line.path, ['-e', file, ...asked], { encoding: 'utf8' })
      .trim()
      .split('\n');
    told.forEach((line, index) => {
      const [path, number] = line.split(/:(?=[\d?]+(?: |$))/);
      const found = table.lookup(addresses[index]);
      if (number === undefined || number === '?' || number === '0') expect(found).toBeUndefined();
      else {
        expect(found?.line, asked[index]).toBe(Number.parseInt(number, 10));
        expect(path.endsWith(found!.file) || found!.file.endsWith(path)).toBe(true);
      }
    });
    expect(new Set(told).size).toBeGreaterThan(6);
    expect(table.codeFrom('part.inc', 2)?.address).toBe(
      addresses.find(
        (address) => table.lookup(address)?.file.endsWith('part.inc') && table.lookup(address)?.line === 2,
      ),
    );
    expect(table.codeFrom('part.inc', 99)).toBeUndefined();
  });

  test('compressed sections', () => {
    const file = build('--gdwarf-5');
    const packed = join(folder, 'packed');
    execFileSync(objcopy.path, ['--compress-debug-sections=zlib', file, packed]);
    expect(LineTable.read(readFileSync(packed))!.lookup(0x400000n)).toEqual(
      LineTable.read(readFileSync(file))!.lookup(0x400000n),
    );
    expect(LineTable.read(readFileSync(packed))!.lookup(0x400000n)?.line).toBeGreaterThan(300);
  });

  test('a file without lines, and damaged ones, give none and do not fail', () => {
    expect(LineTable.read(readFileSync(build()))).toBeUndefined();
    expect(LineTable.read(new Uint8Array(10))).toBeUndefined();
    const whole = readFileSync(build('--gdwarf-5'));
    let seed = 7;
    for (let round = 0; round < 300; round++) {
      const bytes = Uint8Array.from(whole);
      for (let change = 0; change < 20; change++) {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        bytes[seed % bytes.length] = seed >>> 24;
      }
      expect(() =>
        LineTable.read(bytes.subarray(0, round % 3 === 0 ? seed % bytes.length : bytes.length)),
      ).not.toThrow();
    }
  });
});
