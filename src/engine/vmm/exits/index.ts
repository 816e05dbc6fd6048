import type { ExitHandler } from '../exit.js';
import { apicAccessExit } from './apic-access.js';
import { cpuidExit } from './cpuid.js';
import { crAccessExit } from './cr-access.js';
import { eptMisconfigExit, eptViolationExit } from './ept-violation.js';
import { exceptionExit } from './exception.js';
import { hltExit } from './hlt.js';
import { ioExit } from './io.js';
import { msrReadExit, msrWriteExit } from './msr.js';
import {
  descriptorTableExit,
  drAccessExit,
  invlpgExit,
  pauseExit,
  rdpmcExit,
  rdrandExit,
  rdseedExit,
  rdtscExit,
  resumeExit,
  skipExit,
  undefinedExit,
  xsetbvExit,
} from './simple.js';
import { taskSwitchExit } from './task-switch.js';
import { tripleFaultExit } from './triple-fault.js';
import { vmcallExit } from './vmcall.js';
import {
  interruptWindowExit,
  monitorTrapExit,
  nmiWindowExit,
  preemptionTimerExit,
  sipiExit,
  tprBelowThresholdExit,
} from './windows.js';

/** Handler of each basic exit reason. @sdm 3D C "VMX Basic Exit Reasons" */
export const EXIT_HANDLERS: readonly (ExitHandler | undefined)[] = ((): (ExitHandler | undefined)[] => {
  const table: (ExitHandler | undefined)[] = new Array(80).fill(undefined);
  const set = (handler: ExitHandler, ...reasons: number[]) => {
    for (const reason of reasons) table[reason] = handler;
  };
  set(exceptionExit, 0);
  set(resumeExit, 1, 3); // external interrupt, INIT
  set(sipiExit, 4);
  set(tprBelowThresholdExit, 43);
  set(apicAccessExit, 44);
  set(preemptionTimerExit, 52);
  set(tripleFaultExit, 2);
  set(interruptWindowExit, 7);
  set(nmiWindowExit, 8);
  set(taskSwitchExit, 9);
  set(cpuidExit, 10);
  set(undefinedExit, 11, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 50, 53, 59);
  set(hltExit, 12);
  set(skipExit, 13, 36, 39, 54); // INVD, MWAIT, MONITOR, WBINVD
  set(pauseExit, 40);
  set(invlpgExit, 14, 58);
  set(rdpmcExit, 15);
  set(rdtscExit, 16, 51);
  set(vmcallExit, 18);
  set(crAccessExit, 28);
  set(drAccessExit, 29);
  set(ioExit, 30);
  set(msrReadExit, 31);
  set(msrWriteExit, 32);
  set(monitorTrapExit, 37);
  set(descriptorTableExit, 46, 47);
  set(eptViolationExit, 48);
  set(eptMisconfigExit, 49);
  set(xsetbvExit, 55);
  set(rdrandExit, 57);
  set(rdseedExit, 61);
  return table;
})();
