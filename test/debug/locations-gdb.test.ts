/** Locations that branch and lie in parts, and sections that are compressed: what gdb finds there. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeFile } from '../../src/cli/code-file.js';
import { elfSections } from '../../src/disasm/elf-sections.js';
import { programOf } from '../../src/engine/debug/agent-expression.js';
import { compileExpression } from '../../src/engine/debug/expression/compile.js';
import { evaluateNode } from '../../src/engine/debug/expression/evaluate.js';
import { loadBits } from '../../src/engine/debug/types/place.js';
import { GuestCode } from '../../src/engine/host/guest-code.js';
import { named, requireTool } from '../tools.js';

const tools = ['gcc', 'gdb', 'objcopy', 'nm'].map(requireTool);
const [gcc, gdb, objcopy, nm] = tools;
const folderOf = (name: string): string => fileURLToPath(new URL(`c-kernel/${name}`, import.meta.url));

describe.skipIf(!tools.every(({ available }) => available))(named('locations', ...tools), () => {
  let folder: string;
  let image: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-locations-'));
    image = join(folder, 'locations');
    const flags = ['-nostdlib', '-static', '-no-pie', '-Wl,--build-id=none', '-Wa,--noexecstack', '-o', image];
    execFileSync(gcc!.path, [...flags, folderOf('locations.S')]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const code = (file = image) => new GuestCode(codeFile(file, readFileSync(file)), undefined);
  /** What the file's data would be in memory. */
  function memory(): (address: bigint, length: number) => Uint8Array {
    const data = elfSections(readFileSync(image), ['.data']).get('.data')!;
    const start = BigInt(
      `0x${/^([0-9a-f]+) d zero$/m.exec(execFileSync(nm!.path, [image], { encoding: 'utf8' }))![1]}`,
    );
    return (address, length) => data.subarray(Number(address - start), Number(address - start) + length);
  }
  const asksGdb = (name: string): string =>
    execFileSync(gdb!.path, ['-nx', '-q', '-batch', '-ex', `print ${name}`, image], { encoding: 'utf8' })
      .trim()
      .replace(/^\$1 = /, '');

  test.each(['taken', 'passed', 'looped', 'nested', 'distance', 'parted', 'skipped'])(
    '%s has the value that gdb says, evaluated and compiled',
    async (name) => {
      const { place } = (await code().types.variable(name))!;
      const node = loadBits(place, 0, 64, true);
      const read = memory();
      const value = await evaluateNode(node, {}, async ({ address, bytes }) => read(address, bytes));
      expect(String(BigInt.asIntN(64, value))).toBe(asksGdb(name));
      const [program] = compileExpression(node, {}).expressions;
      const run = programOf(program!).run({ register: () => undefined, memory: (at, length) => read(at, length) });
      expect(run).toBe(value);
    },
  );

  test.each([
    ['followed', 'its location goes in a loop'],
    ['outside', 'its location is damaged'],
    ['forever', 'its location is too long'],
  ])('%s says why it has none', async (name, why) => {
    expect((await code().types.variable(name))!.place).toEqual({ kind: 'none', why });
  });

  test.each(['zlib', 'zstd'])('sections that are compressed by %s read as they were', async (form) => {
    const plain = join(folder, 'plain');
    const packed = join(folder, form);
    const flags = [
      '-g',
      '-O2',
      '-ffreestanding',
      '-fno-pic',
      '-no-pie',
      '-nostdlib',
      '-static',
      '-mno-sse',
      '-mno-80387',
    ];
    execFileSync(gcc!.path, [...flags, '-o', plain, folderOf('kernel.c')]);
    execFileSync(objcopy!.path, [`--compress-debug-sections=${form}`, plain, packed]);
    const names = ['.debug_info', '.debug_abbrev', '.debug_line', '.debug_str', '.debug_loclists'];
    const [was, is] = [elfSections(readFileSync(plain), names), elfSections(readFileSync(packed), names)];
    expect(was.size).toBe(names.length);
    for (const name of names) expect(Buffer.compare(is.get(name)!, was.get(name)!), name).toBe(0);
    const table = (await code(packed).types.variable('table'))!;
    expect(await code(packed).types.nodes([table.type])).toEqual(await code(plain).types.nodes([table.type]));
    // one that is damaged, or tells a size that it has not, is left out, and takes no memory
    const bytes = readFileSync(packed);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const head = headOf(bytes, form === 'zlib' ? 1 : 2, was.get('.debug_info')!.length);
    for (const size of [2n ** 63n, 2n ** 40n, 1n]) {
      view.setBigUint64(head + 8, size, true);
      expect(() => elfSections(bytes, names)).not.toThrow();
    }
    view.setBigUint64(head + 8, BigInt(was.get('.debug_info')!.length), true);
    let rest = 0x1234;
    for (let at = head + 24; at < head + 24 + 400; at += 7) {
      rest = (Math.imul(rest, 1664525) + 1013904223) >>> 0;
      bytes[at]! ^= rest >>> 24;
      expect(() => elfSections(bytes, names)).not.toThrow();
    }
    view.setUint32(head, 99, true);
    expect(elfSections(bytes, names).has('.debug_info')).toBe(false);
    writeFileSync(join(folder, 'damaged'), bytes);
    expect(await code(join(folder, 'damaged')).types.from()).toBe(undefined);
  });

  /** Where the head of a compressed section of so many bytes stands. */
  function headOf(bytes: Buffer, kind: number, size: number): number {
    const head = Buffer.alloc(16);
    head.writeUInt32LE(kind, 0);
    head.writeBigUInt64LE(BigInt(size), 8);
    const at = bytes.indexOf(head);
    expect(at).toBeGreaterThan(0);
    return at;
  }
});
