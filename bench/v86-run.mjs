// Runs a multiboot guest in v86 (npm) and prints its first serial port, up to the line that begins with DONE. A program of its
// own: `npm run bench -- programs` measures what it takes.
// usage: node v86-run.mjs PACKAGE-FOLDER ELF
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Debian's SeaBIOS, by which v86 boots. */
const BIOS = '/usr/share/seabios/';

const [folder, elf] = process.argv.slice(2);
const build = join(folder, 'build');
const { V86 } = await import(pathToFileURL(join(build, 'libv86.mjs')).href);
const file = (path) => {
  const bytes = readFileSync(path);
  return { buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) };
};
const emulator = new V86({
  wasm_path: join(build, 'v86.wasm'),
  memory_size: 64 << 20,
  vga_memory_size: 2 << 20,
  bios: file(`${BIOS}bios.bin`),
  vga_bios: file(`${BIOS}vgabios-isavga.bin`),
  multiboot: file(elf),
  disable_speaker: true,
  autostart: true,
});
let line = '';
emulator.add_listener('serial0-output-byte', (byte) => {
  line += String.fromCharCode(byte);
  if (byte !== 10) return;
  const done = line.startsWith('DONE');
  process.stdout.write(line, () => done && process.exit());
  line = '';
});
