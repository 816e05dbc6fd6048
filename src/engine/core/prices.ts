// What passes of virtual time, in ns, beside 1 ns for each retired instruction. The core (AssemblyScript) and the VMM read
// this file, so it holds plain numbers. All prices are as on hardware or under a hypervisor there: loops that poll a device or
// wait for the TSC take about as many rounds as they would, and end.

/** An access on the ISA bus takes about a microsecond; guests that delay by `out 0x80` count on it. */
export const PORT_ACCESS_NS = 1000;
/** A register of a device on PCI, or of a local APIC, is some tens to hundreds of cycles away. */
export const MMIO_ACCESS_NS = 100;
/** Under a hypervisor an instruction that it carries out takes its guest half a microsecond, and guests time by it. */
export const EMULATION_NS = 500;
/** A write to CR0 or CR4 that changes translation costs a flush of the TLB and the walks after it. */
export const TRANSLATION_CHANGE_NS = 200;
/** As processors since Skylake have it: a loop that waits for a while counts few rounds. */
export const PAUSE_NS = 140;
