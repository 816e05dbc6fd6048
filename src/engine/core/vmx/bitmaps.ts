// The I/O and MSR bitmaps.
import { MEMORY_END } from '../layout';
import { IO_BITMAP_A, IO_BITMAP_B, MSR_BITMAP } from '../generated/vmcs';
import { CPU_UNCONDITIONAL_I_O_EXITING, CPU_USE_I_O_BITMAPS, CPU_USE_MSR_BITMAPS } from '../generated/controls';
import { field, primaryControls } from './vmcs';

@inline function bit(page: u64, n: u32): bool {
  if (page + 4096 > load<u64>(MEMORY_END)) return true;
  return (load<u8>(<usize>page + (n >> 3)) >> (n & 7) & 1) != 0;
}

@inline function portBit(port: u32): bool {
  return bit(field(port & 0x8000 ? IO_BITMAP_B : IO_BITMAP_A), port & 0x7fff);
}

/**
 * True when an access to the ports exits: any port's bit is set, or the access wraps around 64 K.
 * @sdm 3C 25.1.3 "Instructions That Cause VM Exits Conditionally"
 */
export function interceptIo(port: u32, bytes: u32): bool {
  const primary = primaryControls();
  if (!(primary & CPU_USE_I_O_BITMAPS)) return (primary & CPU_UNCONDITIONAL_I_O_EXITING) != 0;
  if (port + bytes > 0x10000) return true;
  for (let n: u32 = 0; n < bytes; n++) if (portBit(port + n)) return true;
  return false;
}

/**
 * True when RDMSR (write false) or WRMSR of the MSR exits.
 * @sdm 3C 24.6.9 "MSR-Bitmap Address"
 */
export function interceptMsr(index: u32, write: bool): bool {
  if (!(primaryControls() & CPU_USE_MSR_BITMAPS)) return true;
  const area: u64 = write ? 0x800 : 0;
  if (index < 0x2000) return bit(field(MSR_BITMAP) + area, index);
  if (index >= 0xc0000000 && index < 0xc0002000) return bit(field(MSR_BITMAP) + area + 0x400, index - 0xc0000000);
  return true;
}
