// Another core as the judge: for hosts without /dev/kvm, and for the test of a core with a fault.
import type { RegisterFile } from '../../../debugger.js';
import type { Judge, JudgeStop } from './side.js';
import type { Quick } from './state.js';
import type { VtxSide } from './vtx-side.js';

export class CoreJudge implements Judge {
  readonly name = 'vtx';
  readonly ram: Uint8Array;
  readonly quick: Quick;

  constructor(private readonly side: VtxSide) {
    this.ram = side.ram;
    this.quick = side.step.after;
  }

  step(): JudgeStop {
    const { side } = this;
    side.begin();
    const end = side.one();
    if (end.kind === 'idle') {
      side.warp();
      return { kind: 'halted' };
    }
    if (end.kind === 'ended') return { kind: side.vm.end?.kind === 'triple-fault' ? 'shutdown' : 'stepped' };
    return { kind: 'stepped' };
  }

  again(): JudgeStop {
    return this.step();
  }

  runToAccess(): JudgeStop {
    const end = this.side.runToExit();
    return end.kind === 'idle' ? { kind: 'halted' } : { kind: 'stepped' };
  }

  finishAccess(): JudgeStop {
    return this.step();
  }

  registers(): RegisterFile {
    return this.side.registers();
  }

  takeOver(registers: RegisterFile, names: readonly string[], ram: Uint8Array | undefined): void {
    const { machine } = this.side;
    for (const name of names) machine.view.writeRegister(0, name, registers[name]);
    if (ram) machine.view.writeMemory(0, 'gpa', 0n, ram);
  }

  close(): void {
    this.side.close();
  }
}
