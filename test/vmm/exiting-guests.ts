/** Guests that exit and speak to devices all the time, and all that may be seen of them. */
import * as L from '../../src/engine/core/layout.js';
import { Jit } from '../../src/engine/jit/jit.js';
import { VMCS_FIELDS } from '../../src/spec/vmx/vmcs-fields.js';
import type { FlatGuest } from '../engine/flat-guest.js';

/**
 * Real mode, the PIT at 12 kHz: CPUID, RDMSR of 1Bh and 2FFh, OUT to 80h, EDh and where nobody is, PAUSE, IN from 80h, with STI and CLI
 * between, in the handler too; HLT now and then.
 */
export const EXITS = `fa31c08ed88ed0bc0070c7062000877ca32200b011e620b008e621b004e621b001e621b0fee621b034e643b064e640b000e640
  fb6631c00fa266b91b0000000f32e680fae7ed66b80400000066b9010000000fa2e680f390e480a20405ba0a1f66ef66b8010000000fa2
  66b9ff0200000f32fb0fa2ff060205f7060205ff0375b2f40f20c3ebac 50b020e620ff0600050fa258cf`;

/**
 * 64-bit mode, PIT, TSC deadline and self-IPIs as interrupts: loads, stores and read-modify-writes of local APIC, HPET and of
 * nothing, over a page's end and by REP MOVS; CR8; the APIC's MSRs, with x2APIC now and then; IN and OUT, REP INS and OUTS.
 */
export const DEVICES = `
  fa31c08ed88ec08ed0bc0070b011e620b020e621b004e621b001e621b0fee621b034e643b064e640b000e64066c70600100320000066c70600208300
  000066c70608208300004066c70610208300008066c7061820830000c00f0116b07c66b8200000000f22e066b8001000000f22d866b9800000c00f32
  660d000100000f3066b8010000800f22c066eac07c000008000f1f80000000000000000000000000ffff0000009baf00ffff00000093cf001700987c
  0000ff0f0030000000000000b8100000008ed88ec08ed00f011c25b67c0000bf00320000bef17e0000e8fa010000bf10340000be007f0000e8eb0100
  00bf20340000be1b7f0000e8dc010000bb0000e0fec783f0000000ff010000c7832003000041000400bd0000d0fec7451001000000fb8b4330c78380
  00000020000000440f20c083f002440f22c0440f20c4bc0070000031c0440f22c00393000300008b85f0000000488b85f00000000f310528230000b9
  e00600000f300f32b91b0000000f32b9770200000f32b9800000c00f32b9000001c0e46166ba0806ed66ba08b0ed66bafd03ec66baf803b02eeee680
  e4809cfa0fa2bb0000e0feb903000000bf0050000066ba6100fcf36cb903000000be0050000066baff03f36eb903000000488d7330bf00500000f3a5
  b902000000488dbbe0030000be00500000c7060b000000c746040b000000f3a587838000000031c0898380000000838bd00000000031c08983800000
  009dc78300030000424004008b0425fc0f040048a1fcffdffe00000000ff042500600000f60425006000000f0f85d8fefffff48134254f7f00000004
  0000b91b0000000f32a900040000753c0d000400000f30b9020800000f32b90d0800000f32b9390800000f32b908080000b81000000031d20f300f32
  31c00f30b93f080000b8420000000f30b91b0000000f3225fff3ffff0f300d000800000f30c783f0000000ff010000c7835003000000070000c78320
  03000041000400e94afeffff66893766c747020800b8008e0000894704668937c350b020e620ff0425046000005848cf508b8390030000c783b00000
  0000000000ff0425086000005848cf515052b91b0000000f32a900040000740db90b08000031c031d20f30eb0ac783b000000000000000ff04250c60
  00005a585948cf00000000`;

/**
 * 64-bit mode, PIT: PM timer, line status, HPET's counter, TPR, the APIC's count and CR8 read again and again, among writes to them and
 * to port 80h, with interrupts on and off, by REP MOVS and in the handler.
 */
export const POLLS = `
  fa31c08ed88ec08ed0bc0070b011e620b020e621b004e621b001e621b0fee621b034e643b0b0e640b001e64066c70600100320000066c70600208300
  000066c7061820830000c00f0116987c66b8200000000f22e066b8001000000f22d866b9800000c00f320d00010f3066b8010000800f22c0eaa87c08
  000f1f80000000000000000000000000ffff0000009baf00ffff00000093cf001700807c00000f020030000000000000b8100000008ed88ed08ec08d
  058e010000668904250032000066c7042502320000080066c7042504320000008ec1e81066890425063200000f011c259e7c0000bb0000e0febd0000
  d0fec783f0000000ff010000c7835003000000070000c7451001000000fbba08060000b90c000000ed4901c0ffc975f8ffc2b905000000ec4901c0ff
  c975f8bafd030000b909000000ec4901c0ffc975f8b90b0000008b85f00000004901c1ffc975f3b907000000488b85f00000004901c1ffc975f2b906
  0000008a85f30000004901c1ffc975f3b9070000008b83800000004901c28304250040000001ffc975ebb9060000008b83900300004901c2ffc975f3
  b909000000440f20c04901c3440f20c04131c34d8d5b01ffc975eab90600000089c883e001440f22c0440f20c7440f20c6488d3c3e4901fcffc975e4
  31c0440f22c0b905000000e480ffc0e680e480e480e4804901c5ffc975edb9040000008db380000000bf00500000fcf3a5b904000000fa8b83800000
  008b83800000008b83800000008b85f0000000fb90ffc975e1440f20c0440f20c0440f20c0f4e9c7feffff50ff042504400000b020e6208b83800000
  008b83800000008b83800000005848cf`;

/**
 * Real mode: a byte to the serial port and twice its line status, in turn, with loopback on and off after 64 of them, so that the status has
 * errors; then its modem control, line status and data.
 */
export const FOLLOWED = `
  b0ffe621 31db 31c9 baf803 88c8 ee bafd03 ec 01c3 ec 01c3 41 f6c13f 75eb bafc03 ec 3410 ee bafd03 ec 01c3 baf803 ec 01c3 ebd6`;

/**
 * Real mode, the PIT at 10 kHz: loops of arithmetic whose flags live across CPUID of several leaves, RDMSR of 1Bh and RDMSR and WRMSR of
 * the bases of FS and GS, which fault now and then; REP OUTS of each size to 80h, EDh and where nobody is, over a page's end, up and
 * down; with interrupts on and off, single-stepped now and then, and with a breakpoint on data.
 */
export const SYSTEM = `
  fa31c08ed88ec08ed0bc0070c7062000947da32200c7063400a97da33600c7060400b67da30600b011e620b008e621b004e621b001e621b0fee6
  21b034e643b064e640b000e640fbc706100605006681c72143658766b80000000066b9000000000fa26611dd6629d766b91b0000000f326619c5
  664666b9020100c00f326611f066ba000000000f309f002608060f326631c766d1c766b80400000066b9010000000fa29c580106000666b90001
  00c06631d2b800016681ff000000800f300f326683dd00ff0e10067583fa66b8000000000fa266b91b0000000f3256ba8000bee02fb95000f36e
  fbbe0130b93100f36fbaed00bef02fb9090066f36f6efdb90300f36efcba0a1fbe007cb9c800f36e5ef7c60700751566b9020100c066ba785634
  126689f00f30ff060c06f7c61c000f8514ff9c580d0001509d66b8000000000fa266b9020100c00f320f30ba8000be0030b90300f36e9c5825ff
  fe509d66b8140600000f23c066b8010005000f23f866b8000000000fa201061406be0030ba8000b91e00f36e66b8000400000f23f8e9b4fe6660
  66b8000000000fa2b020e620ff0602066661cf5589e5834602025dff060a06cfff060e06cf`;

/** Everything that somebody may see of the machine, and of one of its processors. */
export function state({ vm, machine }: FlatGuest, of = 0): Record<string, unknown> {
  vm.synchronize();
  const vcpu = vm.vcpus[of];
  const { host } = vm;
  const sequence = host.getNumber(L.TRACE_SEQUENCE);
  const registers = Array.from({ length: 16 }, (_, n) => vcpu.gpr(n));
  const reasons = Array.from({ length: 64 }, (_, n) => vm.exitCount(n));
  const { icount, clock } = vcpu;
  const vmcs = Object.fromEntries(VMCS_FIELDS.map((field) => [field.name, vcpu.vmcs.readField(field)]));
  const { pendingExit, fruitless, halted, woken, armedFor } = vcpu.save();
  return {
    pendingExit,
    fruitless,
    halted,
    woken,
    armedFor,
    icount,
    clock,
    exits: vm.exits,
    sequence,
    registers,
    reasons,
    vmcs,
    devices: machine.devices(),
  };
}

export function ring({ vm: { host } }: FlatGuest): Buffer {
  return Buffer.from(host.u8.slice(L.TRACE_RING, L.TRACE_RING + L.TRACE_RECORDS * L.TRACE_RECORD_BYTES));
}

/** Such a guest, all of whose code is compiled. */
export function compiledGuest(guest: FlatGuest): FlatGuest {
  guest.vm.jit = new Jit(guest.vm.core, guest.vm.host.memory, 'always');
  return guest;
}

/** Runs so many instructions, and warps over idle time. Answers why it ended. */
export function slice({ vm }: FlatGuest, instructions: number): string {
  const end = vm.runSlice(vm.vcpus[0], instructions);
  if (end.kind === 'idle' && end.deadline !== undefined) vm.warpTo(end.deadline);
  return end.kind;
}
