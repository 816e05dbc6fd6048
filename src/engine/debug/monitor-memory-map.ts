/** `info mtree`: what answers at each guest-physical address and I/O port, as QEMU prints its flat views. */

import { ramRanges } from '../memory/memory-map.js';
import type { Machine } from '../vmm/machine.js';

interface Layer {
  first: number;
  bytes: number;
  /** `none`: nobody answers, although a layer below would. */
  kind: 'ram' | 'rom' | 'i/o' | 'none';
  name: string;
  /** Where `first` is in what is named. */
  offset: number;
}

/** The end of a BIOS's ROM also shows below 1 MiB, this much of it at most. */
const LOW_END = 0x100000;
const LOW_BYTES = 0x20000;
const FOUR_GIB = 2 ** 32;

const hex = (value: number): string => value.toString(16).padStart(16, '0');

/** Pieces of the layers that show, by address: of those at one place the first of the list. */
function flatten(layers: readonly Layer[]): Layer[] {
  const edges = [...new Set(layers.flatMap(({ first, bytes }) => [first, first + bytes]))].sort((a, b) => a - b);
  const pieces: Layer[] = [];
  let last: Layer | undefined;
  for (const [i, first] of edges.slice(0, -1).entries()) {
    const layer = layers.find((it) => first >= it.first && first < it.first + it.bytes);
    const bytes = edges[i + 1] - first;
    if (layer && layer === last) pieces[pieces.length - 1].bytes += bytes;
    else if (layer) pieces.push({ ...layer, first, bytes, offset: layer.offset + first - layer.first });
    last = layer;
  }
  return pieces.filter(({ kind }) => kind !== 'none');
}

/** Guest memory below devices' windows: RAM, and the BIOS's ROM where the chipset shows it. */
function memoryLayers(machine: Machine): Layer[] {
  const { memoryBytes } = machine.vm;
  const ram = ramRanges(memoryBytes).map(
    ({ gpa, bytes, offset }): Layer => ({ first: gpa, bytes, kind: 'ram', name: 'pc.ram', offset }),
  );
  ram.unshift(...videoLayers(machine));
  const { romBytes } = machine;
  if (romBytes === 0) return ram;
  const low = LOW_END - Math.min(LOW_BYTES, romBytes);
  const shadows = machine.pc.pc.hostBridge.areas().flatMap(({ gpa, bytes, readRam, writeRam }): Layer[] => {
    if (readRam) return writeRam ? [] : [{ first: gpa, bytes, kind: 'rom', name: 'pc.ram', offset: gpa }];
    const shown = gpa >= low;
    return [{ first: gpa, bytes, kind: shown ? 'rom' : 'none', name: 'pc.bios', offset: romBytes - (LOW_END - gpa) }];
  });
  return [
    { first: FOUR_GIB - romBytes, bytes: romBytes, kind: 'rom', name: 'pc.bios', offset: 0 },
    ...joined(shadows),
    ...ram,
  ];
}

/** Windows at which the guest reaches the video card's memory by itself; the card answers in the rest of the legacy one. */
function videoLayers(machine: Machine): Layer[] {
  if (!machine.hasVideoFrames) return [];
  const windows = machine.pc.pc.vga.windows.map(({ gpa, bytes, from }): Layer => {
    const place = { first: gpa, bytes, kind: 'ram' } as const;
    return from === 'text' ? { ...place, name: 'vga.text', offset: 0 } : { ...place, name: 'vga.vram', offset: from };
  });
  const { mmio, name = 'vga' } = machine.pc.pc.vga.legacy;
  return [...windows, { first: mmio.gpa, bytes: mmio.bytes, kind: 'i/o', name, offset: 0 }];
}

/** Neighbours of one kind as one. */
function joined(layers: readonly Layer[]): Layer[] {
  const result: Layer[] = [];
  for (const layer of layers) {
    const last = result.at(-1);
    const next = last && last.first + last.bytes === layer.first && last.offset + last.bytes === layer.offset;
    if (next && last.kind === layer.kind && last.name === layer.name) last.bytes += layer.bytes;
    else result.push({ ...layer });
  }
  return result;
}

function lines(layers: readonly Layer[]): string[] {
  return flatten(layers).map(({ first, bytes, kind, name, offset }) => {
    const within = offset === 0 ? '' : ` @${hex(offset)}`;
    return `  ${hex(first)}-${hex(first + bytes - 1)} (prio 0, ${kind}): ${name}${within}`;
  });
}

/** Both flat views. Accesses that nobody answers read as all ones. */
export function memoryMapText(machine: Machine): string {
  const { bus } = machine.pc.pc;
  const devices = bus.describeMmio().map(
    ({ name, mmio }): Layer => ({
      ...{ first: mmio.gpa, bytes: mmio.bytes, kind: 'i/o', offset: 0 },
      name: name ?? 'device',
    }),
  );
  const ports = bus.describePorts().map(
    ({ first, count, device }): Layer => ({
      ...{ first, bytes: count, kind: 'i/o', offset: 0 },
      name: device.name ?? 'device',
    }),
  );
  return [
    'FlatView #0',
    ' AS "memory", root: system',
    ' Root memory region: system',
    // the local APIC is in the processor; other devices get what memory leaves
    ...lines([...devices.slice(0, 1), ...memoryLayers(machine), ...devices.slice(1)]),
    '',
    'FlatView #1',
    ' AS "I/O", root: io',
    ' Root memory region: io',
    ...lines(ports),
  ].join('\n');
}
