/** A multiboot 2 kernel as its author writes it: runs, looks at what it was handed, and says so. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { SAMPLES, vmscope } from '../cli/vmscope.js';
import { named, requireTool } from '../tools.js';

const nasm = requireTool('nasm');
const folder = mkdtempSync(join(tmpdir(), 'vmscope-multiboot2-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Prints the command line of the boot information on COM1; ends with status 3 when all was there, else 5. */
const KERNEL = `
bits 32
org 0x100000
align 8
header:
  dd 0xe85250d6, 0, header_end - header, -(0xe85250d6 + (header_end - header))
  dw 2, 0
  dd 24, header, 0x100000, 0, 0
  dw 3, 0
  dd 12, start
  align 8
  dw 0, 0
  dd 8
header_end:
start:
  cmp eax, 0x36d76289
  jne failed
  test ebx, 7
  jnz failed
  lea esi, [ebx + 8]
next:
  mov eax, [esi]
  test eax, eax
  jz failed
  cmp eax, 1
  je found
  mov eax, [esi + 4]
  lea esi, [esi + eax + 7]
  and esi, -8
  jmp next
found:
  add esi, 8
  mov dx, 0x3f8
print:
  lodsb
  test al, al
  jz done
  out dx, al
  jmp print
done:
  mov al, 1
  jmp finish
failed:
  mov al, 2
finish:
  mov dx, 0xf4
  out dx, al
`;

it.skipIf(!nasm.available)(named('a multiboot 2 kernel finds its command line', nasm), async () => {
  const [source, image] = [join(folder, 'kernel.asm'), join(folder, 'kernel.bin')];
  writeFileSync(source, KERNEL);
  execFileSync(nasm.path, ['-f', 'bin', '-w-number-overflow', '-o', image, source]);
  const result = await vmscope(['run', image, '--headless', '--isa-debug-exit', '--append', 'quiet root=/dev/vda']);
  expect(result.stdout).toBe('kernel.bin quiet root=/dev/vda');
  expect(result.status).toBe(3);
});

it('a triple fault resets the guest where that is asked for, and is told once', async () => {
  const sample = join(SAMPLES, 'triple-fault');
  const once = await vmscope(['run', sample, '--headless']);
  expect(once.status).toBe(1);
  const again = await vmscope(['run', sample, '--headless', '--reboot-on-triple-fault', '--timeout', '4']);
  expect(again.status).toBe(124);
  expect(again.stdout.length).toBeGreaterThan(2 * once.stdout.length);
  expect(again.stdout.startsWith(once.stdout + once.stdout)).toBe(true);
  expect(again.stderr.match(/triple fault on vCPU 0 at RIP 0x[0-9a-f]+: the guest is reset/g)).toHaveLength(1);
  const both = await vmscope(['run', sample, '--headless', '--reboot-on-triple-fault', '--no-reboot']);
  expect(both.status).toBe(2);
  expect(both.stderr).toContain('--reboot-on-triple-fault: --no-reboot says that a reset ends the guest');
});
