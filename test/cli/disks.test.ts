/** Disks and CDs booted by SeaBIOS: what a boot sector reads, writes and prints. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { img, qemuImg, scratchFolder } from '../disk/images.js';
import { buildImage } from '../disk/qcow2-builder.js';
import { named, requireTool, type Tool } from '../tools.js';
import { vmscope } from './vmscope.js';

const BIOS = '/usr/share/seabios/bios-256k.bin';
const nasm = requireTool('nasm');
const seabios: Tool = existsSync(BIOS)
  ? { available: true, reason: '', path: BIOS }
  : { available: false, reason: 'SeaBIOS is not installed', path: '' };
const folder = scratchFolder();
const at = (name: string) => join(folder, name);

/**
 * Prints by INT 10h; copies sector 2 of its drive to sector 3 by INT 13h with the first byte changed; prints sector 2
 * on COM1; ends with status 1 when all went well, else 3.
 */
const BOOT_SECTOR = `
bits 16
org 0x7c00
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7c00
  mov [packet_drive], dl
  mov si, hello
print:
  lodsb
  test al, al
  jz copy
  mov ah, 0x0e
  mov bx, 7
  int 0x10
  jmp print
copy:
  ; the serial console of the BIOS writes in the timer's time
  sti
  mov cx, 4
tick:
  hlt
  loop tick
  mov ah, 0x42
  call disk
  mov si, 0x8000
serial:
  lodsb
  test al, al
  jz store
  mov dx, 0x3f8
  out dx, al
  jmp serial
store:
  inc dword [packet_sector]
  mov byte [0x8000], 'W'
  mov ah, 0x43
  call disk
  mov bl, 0
  jmp finish
disk:
  mov al, 0
  mov dl, [packet_drive]
  mov si, packet
  int 0x13
  jc failed
  ret
failed:
  mov bl, 1
finish:
  mov al, bl
  mov dx, 0xf4
  out dx, al
hello: db "by INT 10h", 13, 10, 0
packet_drive: db 0
align 4
packet: db 16, 0
  dw 1, 0x8000, 0
packet_sector: dd 2, 0
times 510-($-$$) db 0
  dw 0xaa55
`;

function bootImage(): Buffer {
  writeFileSync(at('boot.asm'), BOOT_SECTOR);
  execFileSync(nasm.path, ['-f', 'bin', '-o', at('boot.bin'), at('boot.asm')]);
  const image = Buffer.alloc(4 << 20);
  readFileSync(at('boot.bin')).copy(image);
  image.write('Read by INT 13h\n\0', 2 * 512, 'latin1');
  return image;
}

const run = (...args: string[]) =>
  vmscope(['run', '--headless', '--sercon', 'on', '--isa-debug-exit', '--timeout', '60', ...args], {
    timeoutMs: 90_000,
  });

describe.skipIf(!nasm.available || !seabios.available)(named('a disk booted by SeaBIOS', nasm, seabios), () => {
  const image = bootImage();
  const written = Buffer.from(image);
  image.copy(written, 3 * 512, 2 * 512, 3 * 512);
  written[3 * 512] = 'W'.charCodeAt(0);

  it.each([
    ['ide', written],
    ['ide,snapshot=on', image],
    ['virtio', written],
  ])('if=%s: reads, writes and prints', { timeout: 120_000 }, async (bus, after) => {
    const path = at('disk.img');
    writeFileSync(path, image);
    const result = await run('--disk', `${path},if=${bus}`);
    expect(result.stdout).toContain('by INT 10h');
    expect(result.stdout).toContain('Read by INT 13h');
    expect(result.status).toBe(1);
    expect(Buffer.compare(readFileSync(path), after)).toBe(0);
  });

  it("shows the screen on COM1 only where it is asked for: a piped COM1 is the guest's own", {
    timeout: 120_000,
  }, async () => {
    const path = at('plain.img');
    writeFileSync(path, image);
    const args = ['run', '--headless', '--isa-debug-exit', '--timeout', '60', '--disk', `${path},if=ide,snapshot=on`];
    const plain = await vmscope(args, { timeoutMs: 90_000 });
    expect(plain.status).toBe(1);
    expect(plain.stdout).not.toMatch(/\x1b|SeaBIOS|by INT 10h/);
    const copied = await vmscope([...args, '--sercon', 'on'], { timeoutMs: 90_000 });
    expect(copied.stdout).toMatch(/SeaBIOS[\s\S]*by INT 10h/);
  });

  it.skipIf(!qemuImg.available)(
    named('qcow2, told by its content and given as the image', qemuImg),
    { timeout: 120_000 },
    async () => {
      writeFileSync(at('raw.img'), image);
      img('convert', '-f', 'raw', '-O', 'qcow2', at('raw.img'), at('disk.qcow2'));
      const result = await run(at('disk.qcow2'));
      expect(result.stdout).toContain('Read by INT 13h');
      expect(result.status).toBe(1);
      expect(img('check', at('disk.qcow2'))).toContain('No errors');
      writeFileSync(at('written.img'), written);
      expect(img('compare', '-F', 'raw', at('disk.qcow2'), at('written.img'))).toContain('identical');
    },
  );

  it.skipIf(!qemuImg.available)(
    named('an image that turns out corrupt: the guest sees an error, the user the cause', qemuImg),
    { timeout: 120_000 },
    async () => {
      const path = at('corrupt.qcow2');
      writeFileSync(at('raw.img'), image);
      img('convert', '-f', 'raw', '-O', 'qcow2', '-o', 'cluster_size=512', at('raw.img'), path);
      const bytes = readFileSync(path);
      const l1 = Number(bytes.readBigUInt64BE(40));
      const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00fffffffffffe00n);
      // what the guest writes to sector 3 would go to the L1 table
      bytes.writeBigUInt64BE((1n << 63n) | BigInt(l1), l2 + 3 * 8);
      writeFileSync(path, bytes);
      const result = await run('--disk', path);
      expect(result.stdout).toContain('Read by INT 13h');
      expect(result.status).toBe(3);
      expect(result.stderr).toContain(
        `${path}: corrupt: the cluster at 0x${l1.toString(16)} holds both data and tables`,
      );
    },
  );

  it('a guest that makes its raw disk a qcow2 image over a file of the host', { timeout: 120_000 }, async () => {
    const path = at('raw.img');
    const secret = at('secret');
    writeFileSync(secret, Buffer.alloc(4096, 's'));
    buildImage(at('head.qcow2'), { backing: { name: secret, format: 'raw' } });
    // sector 2 is what the guest wants to be sector 0
    writeFileSync(
      at('boot.asm'),
      BOOT_SECTOR.replace('inc dword [packet_sector]', 'mov dword [packet_sector], 0').replace("'W'", "'Q'"),
    );
    execFileSync(nasm.path, ['-f', 'bin', '-o', at('boot.bin'), at('boot.asm')]);
    const disk = Buffer.from(image);
    readFileSync(at('boot.bin')).copy(disk);
    readFileSync(at('head.qcow2')).copy(disk, 2 * 512, 0, 512);
    for (const bus of ['ide', 'virtio']) {
      writeFileSync(path, disk);
      const result = await run('--disk', `${path},if=${bus}`);
      expect(result.status).toBe(3);
      expect(result.stderr).toContain(`${path}: the guest's write to sector 0 would make a qcow image of this raw one`);
      expect(readFileSync(path).equals(disk)).toBe(true);
      const allowed = await run('--disk', `${path},if=${bus},format=raw`);
      expect(allowed.status).toBe(1);
      expect(readFileSync(path).subarray(0, 512).equals(disk.subarray(1024, 1536))).toBe(true);
    }
  });

  it('a CD, by El Torito without emulation', { timeout: 120_000 }, async () => {
    writeFileSync(at('cd.iso'), bootableCd(image.subarray(0, 2048)));
    const result = await run('--cdrom', at('cd.iso'));
    expect(result.stdout).toContain('Booting from DVD/CD');
    expect(result.stdout).toContain('by INT 10h');
    // its second block of 2048 bytes is empty, and a CD cannot be written
    expect(result.status).toBe(3);
  });

  it('the first disk of the command line, whatever its bus', { timeout: 120_000 }, async () => {
    writeFileSync(at('empty.img'), Buffer.alloc(1 << 20));
    for (const [first, second] of [
      ['virtio', 'ide'],
      ['ide', 'virtio'],
    ]) {
      writeFileSync(at('first.img'), image);
      const result = await run('--disk', `${at('first.img')},if=${first}`, '--disk', `${at('empty.img')},if=${second}`);
      expect(result.stdout).toContain('Read by INT 13h');
    }
    const none = await run('--disk', at('empty.img'), '--timeout', '5');
    expect(none.stdout.match(/No bootable device/g)).toHaveLength(1);
  });

  it('a guest ends the same twice', { timeout: 120_000 }, async () => {
    const once = async () => {
      writeFileSync(at('twice.img'), image);
      const { stdout, stderr } = await run('--disk', `${at('twice.img')},if=ide`, '--stats', 'json');
      const { icount, clockNs, exitsTotal } = JSON.parse(stderr.trim().split('\n').at(-1)!) as Record<string, number>;
      return { stdout, icount, clockNs, exitsTotal };
    };
    expect(await once()).toEqual(await once());
  });
});

describe('disks that cannot be used', () => {
  const refused = async (message: string, ...args: string[]) => {
    const result = await run(...args);
    expect(result.status).toBe(2);
    expect(result.stderr).toContain(message);
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
  };

  it('are named with the cause in one line', async () => {
    const plain = at('plain.img');
    writeFileSync(plain, Buffer.alloc(1 << 20));
    await refused(`${at('none.img')}: no such file`, '--disk', at('none.img'));
    await refused(`${folder}: is a folder`, '--disk', folder);
    writeFileSync(at('empty.img'), '');
    await refused(`${at('empty.img')}: is empty`, '--disk', at('empty.img'));
    await refused(`${plain}: is not a qcow2 image`, '--disk', `${plain},format=qcow2`);
    await refused('format vmdk is not raw or qcow2', '--disk', `${plain},format=vmdk`);
    await refused('colour is not an option', '--disk', `${plain},colour=red`);
    await refused(`${plain}: is in use by another program`, '--disk', plain, '--disk', plain);
    await refused(`${plain}: is a raw image: it has no snapshots`, '--disk', `${plain},snapshot-name=x`);
    writeFileSync(at('bad.bios'), Buffer.alloc(1000));
    await refused(`${at('bad.bios')}: a BIOS has a multiple of 4 KiB`, '--bios', at('bad.bios'), '--disk', plain);
    expect(readFileSync(plain).every((byte) => byte === 0)).toBe(true);
  }, 60_000);
});

/** An ISO 9660 volume of as little as El Torito needs: volume and boot descriptors, catalogue, boot image. */
function bootableCd(boot: Buffer): Buffer {
  const block = 2048;
  const cd = Buffer.alloc(24 * block);
  const descriptor = (at: number, type: number) => {
    cd[at * block] = type;
    cd.write('CD001\x01', at * block + 1, 'latin1');
  };
  descriptor(16, 1);
  descriptor(17, 0);
  cd.write('EL TORITO SPECIFICATION', 17 * block + 7, 'latin1');
  cd.writeUInt32LE(19, 17 * block + 71);
  descriptor(18, 255);
  const catalogue = 19 * block;
  // validation entry for x86, its words sum to zero
  cd[catalogue] = 1;
  cd.writeUInt16LE(0xaa55, catalogue + 30);
  cd.writeUInt16LE(0x10000 - 0xaa55 - 1, catalogue + 28);
  // bootable, no emulation, four sectors at block 20
  cd[catalogue + 32] = 0x88;
  cd.writeUInt16LE(4, catalogue + 38);
  cd.writeUInt32LE(20, catalogue + 40);
  boot.copy(cd, 20 * block);
  return cd;
}
