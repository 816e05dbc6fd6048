import type { Architecture } from './target.js';

/** Settings that outlive a connection, so `monitor arch i8086`, `disconnect`, `target remote` works. */
export interface StubSettings {
  /**
   * Register layout that clients get: one architecture for good (`x86-64` is what QEMU does), or `auto`:
   * the guest's current one, with an exec event to GDB when it changes. Absent until somebody chooses: see
   * RegisterAccess.
   */
  architecture?: Architecture | 'auto';
  /**
   * Whether the program counter is shown as CS base + RIP. GDB and LLDB use it as an address as it is, so in
   * real mode only the linear form points at the code. `auto`: on, until a plug-in that asks QEMU's
   * queries (pwndbg, GEF) shows up, since these add the segment themselves.
   */
  linearPc: 'on' | 'off' | 'auto';
  /**
   * Which registers GDB is told of: those that it shows by `info registers` with QEMU, or every one, VMCS fields
   * included. LLDB, which shows them by group, has all.
   */
  registers: 'few' | 'all';
  /** LLDB is to call functions of the guest: see host-info.ts. */
  calls: boolean;
  /** GDB takes the guest's programs for Linux's: `catch syscall` needs that, and modules are no libraries then. */
  linuxAbi: boolean;
}

export const ARCHITECTURE_SETTINGS: readonly NonNullable<StubSettings['architecture']>[] = [
  'auto',
  'i8086',
  'i386',
  'x86-64',
];

export function defaultSettings(): StubSettings {
  return { linearPc: 'auto', registers: 'few', linuxAbi: false, calls: false };
}
