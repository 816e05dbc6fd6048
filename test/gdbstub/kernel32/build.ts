import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const FLAGS =
  '-m32 -g -O1 -fno-pic -fno-pie -no-pie -ffreestanding -nostdlib -static -fno-stack-protector -fcf-protection=none ' +
  '-Wl,-Ttext=0x100000 -Wl,--build-id=none -Wl,-N -Wl,--no-warn-rwx-segments';

/** Builds the kernel as an ELF32 with line numbers. */
export function buildKernel32(gcc: string, file: string): void {
  const sources = ['boot.S', 'main.c'].map((name) => fileURLToPath(new URL(name, import.meta.url)));
  execFileSync(gcc, [...FLAGS.split(' '), '-o', file, ...sources], { stdio: 'pipe' });
}
