/** What a recorded run began with: the machine's options, and each file and disk by a hash of its content. */

import { DRIVE_BUSES } from '../engine/devices/block.js';
import {
  count,
  flag,
  int,
  list,
  oneOf,
  optional,
  record,
  type StateOf,
  text,
  time,
  u8,
  u16,
  u32,
  u64,
  word,
} from '../engine/state/schema.js';
import { CARDS, NET_MODELS } from '../engine/vmm/cards.js';
import { CPU_MODELS, VENDORS } from '../engine/vmm/cpu-models.js';
import { MAX_CLOCK_SHIFT } from './clock-option.js';
import { findVgaBios } from './firmware.js';
import type { GuestWorkerData } from './guest-options.js';
import { parseModules } from './initrd-option.js';
import { MAX_MEMORY_BYTES } from './options.js';

const DRIVE = record({
  path: text,
  kind: oneOf('disk', 'cdrom', 'floppy'),
  format: optional(oneOf('raw', 'qcow2')),
  bus: optional(oneOf(...DRIVE_BUSES)),
  readonly: flag,
  snapshot: flag,
  snapshotName: optional(text),
});

const CPU = record({
  name: oneOf(...CPU_MODELS),
  vendor: optional(oneOf(...VENDORS)),
  ...{ leaf1Ecx: word, leaf1Edx: word, leaf7Ebx: word, leaf7Ecx: word, leaf7Edx: word },
  ...{ extendedEcx: word, extendedEdx: word, xcr0: u64 },
});

/** All that the guest can tell one machine from another by. */
const MACHINE = {
  name: text,
  image: text,
  memoryBytes: int(2 ** 20, MAX_MEMORY_BYTES),
  vcpus: int(1, 16),
  cpu: optional(CPU),
  append: optional(text),
  initrd: optional(text),
  at: optional(u32),
  rtcSeconds: time,
  isaDebugExit: flag,
  noReboot: flag,
  rebootOnTripleFault: optional(flag),
  noParavirtual: optional(flag),
  clockShift: optional(int(0, MAX_CLOCK_SHIFT)),
  drives: optional(list(DRIVE, { atMost: 64 })),
  net: optional(
    record({
      model: optional(oneOf(...NET_MODELS)),
      mac: list(u8, 6),
      forwards: list(record({ address: text, port: u16, guestPort: u16 }), { atMost: 1024 }),
      tftp: optional(text),
      bootFile: optional(text),
      hostName: optional(text),
    }),
  ),
  cards: optional(list(oneOf(...CARDS), { atMost: CARDS.length * 8 })),
  firmware: optional(
    record({
      vgaBios: optional(text),
      serialConsole: flag,
      netRom: optional(text),
      bootOrder: optional(text),
      kernel: optional(text),
    }),
  ),
  font: optional(text),
  debugPorts: optional(flag),
  restore: optional(text),
} as const;

const CONTENT = record({
  /** As the options name it, and where that was. */
  name: text,
  path: text,
  bytes: count,
  hash: text,
  packed: flag,
  /** Which of the drives it is; absent: a file. */
  drive: optional(int(0, 63)),
});

export const RECORDED_RUN = record({
  program: text,
  machine: record(MACHINE),
  contents: list(CONTENT, { atMost: 256 }),
});
export type RecordedRun = StateOf<typeof RECORDED_RUN>;
export type RecordedContent = RecordedRun['contents'][number];

/** Files of --initrd. */
export const modulesOf = ({ initrd }: { initrd?: string | undefined }): string[] =>
  initrd === undefined ? [] : parseModules(initrd).map(({ file }) => file);

/** The machine's options among all that a guest is started with. */
export function machineOf(data: GuestWorkerData): Record<string, unknown> {
  const { debugcon } = data;
  const all: Record<string, unknown> = {
    ...{ ...data, font: findVgaBios() },
    ...(debugcon === undefined ? {} : { debugPorts: true }),
  };
  return Object.fromEntries(
    Object.keys(MACHINE)
      .filter((name) => all[name] !== undefined)
      .map((name) => [name, all[name]]),
  );
}
