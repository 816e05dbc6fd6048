import { ALWAYS_ONE, CR0, CR4, EFER } from '../../spec/masks.js';
import { MSR } from '../../spec/msrs.js';
import { mustBeOne } from '../../spec/vmx/controls.js';
import { IO_BITMAP_A, IO_BITMAP_B, MSR_BITMAP, VIRTUAL_APIC_BASE } from '../core/layout.js';
import type { HostMemory } from '../memory/host-memory.js';
import { ENTRY, EXIT, PIN, PRIMARY, SECONDARY } from './controls.js';
import { type CpuModel, hasFeature } from './cpu-models.js';
import { watchNumericErrors } from './numeric-errors.js';
import type { Vcpu } from './vcpu.js';

/** MSRs that the guest reads and writes without an exit: they live in the vCPU and need no policy. */
const PASSED_THROUGH = [
  MSR.IA32_SYSENTER_CS, MSR.IA32_SYSENTER_ESP, MSR.IA32_SYSENTER_EIP,
  MSR.IA32_STAR, MSR.IA32_LSTAR, MSR.IA32_CSTAR, MSR.IA32_FMASK,
  MSR.IA32_FS_BASE, MSR.IA32_GS_BASE, MSR.IA32_KERNEL_GS_BASE,
]; // biome-ignore format: grouped

/** PAUSEs nearer to each other are one loop; a loop longer than the window exits. */
const PLE_GAP_NS = 300;
const PLE_WINDOW_NS = 4096;

/** CR0 bits of which the VMM decides: changing one exits. */
export const CR0_HOST_OWNED = CR0.PE | CR0.NE | CR0.NW | CR0.CD | CR0.PG;
/** CR4 bits that exist with a feature of CPUID only. @sdm 3A 2.5 "Control Registers" */
const CR4_FEATURES: readonly (readonly [bit: bigint, feature: string])[] = [
  [CR4.UMIP, 'umip'],
  [CR4.LA57, 'la57'],
  [CR4.FSGSBASE, 'fsgsbase'],
  [CR4.PCIDE, 'pcid'],
  [CR4.OSXSAVE, 'xsave'],
  [CR4.SMEP, 'smep'],
  [CR4.SMAP, 'smap'],
  [CR4.PKE, 'pku'],
  [CR4.PKS, 'pks'],
];

/** CR4 bits that a guest of this model cannot set: the VMM refuses them. */
export function cr4HostOwned(model: CpuModel): bigint {
  return CR4_FEATURES.reduce((owned, [bit, feature]) => (hasFeature(model, feature) ? owned : owned | bit), CR4.VMXE);
}

/** Controls that follow from the model. @sdm 3C 25.3 "Changes to Instruction Behavior in VMX Non-Root Operation" */
export function setUpModel({ vmcs }: Vcpu, model: CpuModel): void {
  vmcs.set('CR4_GUEST_HOST_MASK', cr4HostOwned(model));
  const wanted =
    (hasFeature(model, 'rdtscp') ? SECONDARY.enableRdtscp : 0) |
    (hasFeature(model, 'invpcid') ? SECONDARY.enableInvpcid : 0);
  const others = Number(vmcs.get('SECONDARY_VM_EXEC_CONTROL')) & ~(SECONDARY.enableRdtscp | SECONDARY.enableInvpcid);
  vmcs.set('SECONDARY_VM_EXEC_CONTROL', (others | wanted) >>> 0);
}

/**
 * Fills a VMCS with this VMM's choice of controls and the state of a processor after INIT.
 * @sdm 3A 9.1.4 "First Instruction Executed" for the guest area
 */
export function setUpVmcs(vcpu: Vcpu, eptp: bigint, model: CpuModel, vcpus = 1): void {
  const { vmcs } = vcpu;
  vmcs.set('VIRTUAL_PROCESSOR_ID', vcpu.index + 1);
  vmcs.set(
    'PIN_BASED_VM_EXEC_CONTROL',
    (mustBeOne('pin') | PIN.externalInterruptExiting | PIN.nmiExiting | PIN.virtualNmis | PIN.preemptionTimer) >>> 0,
  );
  vmcs.set(
    'CPU_BASED_VM_EXEC_CONTROL',
    (mustBeOne('primary') |
      PRIMARY.hltExiting |
      PRIMARY.useTscOffsetting |
      PRIMARY.unconditionalIoExiting |
      PRIMARY.useMsrBitmaps |
      PRIMARY.cr8LoadExiting |
      PRIMARY.cr8StoreExiting |
      PRIMARY.activateSecondaryControls) >>>
      0,
  );
  vmcs.set(
    'SECONDARY_VM_EXEC_CONTROL',
    (SECONDARY.enableEpt |
      SECONDARY.enableVpid |
      SECONDARY.unrestrictedGuest |
      // A vCPU that spins on a lock gives its turn to the one that holds it.
      (vcpus > 1 ? SECONDARY.pauseLoopExiting : 0)) >>>
      0,
  );
  vmcs.set('PLE_GAP', PLE_GAP_NS);
  vmcs.set('PLE_WINDOW', PLE_WINDOW_NS);
  vmcs.set(
    'VM_EXIT_CONTROLS',
    (mustBeOne('exit') |
      EXIT.saveDebugControls |
      EXIT.hostAddressSpaceSize |
      EXIT.acknowledgeInterrupt |
      EXIT.savePat |
      EXIT.loadPat |
      EXIT.saveEfer |
      EXIT.loadEfer) >>>
      0,
  );
  vmcs.set('VM_ENTRY_CONTROLS', (mustBeOne('entry') | ENTRY.loadDebugControls | ENTRY.loadPat | ENTRY.loadEfer) >>> 0);
  vmcs.set('IO_BITMAP_A', IO_BITMAP_A);
  vmcs.set('IO_BITMAP_B', IO_BITMAP_B);
  vmcs.set('MSR_BITMAP', MSR_BITMAP);
  vmcs.set('VIRTUAL_APIC_PAGE_ADDR', VIRTUAL_APIC_BASE + vcpu.index * 0x1000);
  vmcs.set('EPT_POINTER', eptp);
  vmcs.set('VMCS_LINK_POINTER', 0xffffffffffffffffn);
  vmcs.set('CR0_GUEST_HOST_MASK', CR0_HOST_OWNED);
  setUpModel(vcpu, model);
  setUpHost(vcpu);
  setUpGuest(vcpu);
}

/** The VMM is not guest-visible code: its host area is a consistent 64-bit supervisor environment. */
function setUpHost({ vmcs }: Vcpu): void {
  vmcs.set('HOST_CR0', CR0.PG | CR0.AM | CR0.WP | CR0.NE | CR0.ET | CR0.MP | CR0.PE);
  vmcs.set('HOST_CR3', 0n);
  vmcs.set('HOST_CR4', CR4.VMXE | CR4.PAE);
  for (const segment of ['ES', 'SS', 'DS', 'FS', 'GS']) vmcs.set(`HOST_${segment}_SELECTOR`, 0x18);
  vmcs.set('HOST_CS_SELECTOR', 0x10);
  vmcs.set('HOST_TR_SELECTOR', 0x40);
  vmcs.set('HOST_IA32_EFER', EFER.LME | EFER.LMA | EFER.NXE);
  vmcs.set('HOST_IA32_PAT', 0x0007040600070406n);
  vmcs.set('HOST_RIP', 0xffffffff81000000n);
  vmcs.set('HOST_RSP', 0xffffffff82000000n);
}

/** The state of a processor after power-on or INIT. @sdm 3A 9.1.1 "Processor State After Reset" */
export function setUpGuest(vcpu: Vcpu): void {
  const { vmcs } = vcpu;
  for (const segment of ['ES', 'SS', 'DS', 'FS', 'GS']) setSegment(vmcs, segment, 0, 0n, 0xffff, 0x93);
  setSegment(vmcs, 'CS', 0xf000, 0xffff0000n, 0xffff, 0x9b);
  setSegment(vmcs, 'LDTR', 0, 0n, 0xffff, 0x82);
  setSegment(vmcs, 'TR', 0, 0n, 0xffff, 0x8b);
  vmcs.set('GUEST_GDTR_LIMIT', 0xffff);
  vmcs.set('GUEST_IDTR_LIMIT', 0xffff);
  vmcs.set('GUEST_CR0', CR0.CD | CR0.NW | CR0.NE | CR0.ET);
  vmcs.set('CR0_READ_SHADOW', CR0.CD | CR0.NW | CR0.ET);
  vmcs.set('GUEST_CR4', CR4.VMXE);
  vmcs.set('CR4_READ_SHADOW', 0n);
  vmcs.set('GUEST_DR7', ALWAYS_ONE.DR7);
  vmcs.set('GUEST_RFLAGS', ALWAYS_ONE.RFLAGS);
  vmcs.set('GUEST_RIP', 0xfff0n);
  vmcs.set('GUEST_IA32_PAT', 0x0007040600070406n);
  watchNumericErrors(vcpu);
}

export function setSegment(
  vmcs: { set(name: string, value: bigint | number): void },
  segment: string,
  selector: number,
  base: bigint,
  limit: number,
  accessRights: number,
): void {
  vmcs.set(`GUEST_${segment}_SELECTOR`, selector);
  vmcs.set(`GUEST_${segment}_BASE`, base);
  vmcs.set(`GUEST_${segment}_LIMIT`, limit);
  vmcs.set(`GUEST_${segment}_AR_BYTES`, accessRights);
}

/** MSR bitmap: exit on all but the passed-through ones. @sdm 3C 24.6.9 "MSR-Bitmap Address" */
export function fillMsrBitmap(host: HostMemory): void {
  host.u8.fill(0xff, MSR_BITMAP, MSR_BITMAP + 0x1000);
  for (const msr of PASSED_THROUGH) {
    const page = MSR_BITMAP + (msr >= 0xc0000000 ? 0x400 : 0);
    const bit = msr & 0x1fff;
    for (const half of [0, 0x800]) host.u8[page + half + (bit >> 3)] &= ~(1 << (bit & 7));
  }
}
