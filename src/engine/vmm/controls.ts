import { findControl } from '../../spec/vmx/controls.js';

function mask(name: string): number {
  const control = findControl(name);
  if (!control) throw new Error(`no control ${name}`);
  return (1 << control.bit) >>> 0;
}

/** Control bits that the VMM sets and clears, by the names of the SDM. */
export const PIN = {
  externalInterruptExiting: mask('External-interrupt exiting'),
  nmiExiting: mask('NMI exiting'),
  virtualNmis: mask('Virtual NMIs'),
  preemptionTimer: mask('Activate VMX-preemption timer'),
};
export const PRIMARY = {
  interruptWindowExiting: mask('Interrupt-window exiting'),
  useTscOffsetting: mask('Use TSC offsetting'),
  hltExiting: mask('HLT exiting'),
  invlpgExiting: mask('INVLPG exiting'),
  useTprShadow: mask('Use TPR shadow'),
  cr8LoadExiting: mask('CR8-load exiting'),
  cr8StoreExiting: mask('CR8-store exiting'),
  nmiWindowExiting: mask('NMI-window exiting'),
  unconditionalIoExiting: mask('Unconditional I/O exiting'),
  monitorTrapFlag: mask('Monitor trap flag'),
  useMsrBitmaps: mask('Use MSR bitmaps'),
  activateSecondaryControls: mask('CPU_ACTIVATE_SECONDARY_CONTROLS'),
  cr3LoadExiting: mask('CR3-load exiting'),
  cr3StoreExiting: mask('CR3-store exiting'),
  movDrExiting: mask('MOV-DR exiting'),
  rdpmcExiting: mask('RDPMC exiting'),
  rdtscExiting: mask('RDTSC exiting'),
};
export const SECONDARY = {
  virtualizeApicAccesses: mask('Virtualize APIC accesses'),
  enableEpt: mask('Enable EPT'),
  enableRdtscp: mask('Enable RDTSCP'),
  enableVpid: mask('Enable VPID'),
  unrestrictedGuest: mask('Unrestricted guest'),
  pauseLoopExiting: mask('PAUSE-loop exiting'),
  enableInvpcid: mask('Enable INVPCID'),
  descriptorTableExiting: mask('Descriptor-table exiting'),
  rdrandExiting: mask('RDRAND exiting'),
  rdseedExiting: mask('RDSEED exiting'),
};
export const EXIT = {
  saveDebugControls: mask('Save debug controls'),
  hostAddressSpaceSize: mask('Host address-space size'),
  acknowledgeInterrupt: mask('Acknowledge interrupt on exit'),
  savePat: mask('Save IA32_PAT'),
  loadPat: mask('EXIT_LOAD_IA32_PAT'),
  saveEfer: mask('Save IA32_EFER'),
  loadEfer: mask('EXIT_LOAD_IA32_EFER'),
};
export const ENTRY = {
  loadDebugControls: mask('Load debug controls'),
  ia32eModeGuest: mask('IA-32e mode guest'),
  loadPat: mask('ENTRY_LOAD_IA32_PAT'),
  loadEfer: mask('ENTRY_LOAD_IA32_EFER'),
};
