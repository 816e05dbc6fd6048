import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { CODE, expected, VmxGuest } from './guest.js';

const VALID = 0x80000000;
const IF = 0x202;
const DATA = { qualification: 0 };
/** IDT at 0x4000 whose vectors 0-31 and 0x20 lead to 0x5000 + vector * 16, where a CPUID stands. */
function idt(guest: VmxGuest): VmxGuest {
  for (let vector = 0; vector < 64; vector++) {
    const handler = 0x5000 + vector * 16;
    guest.load(handler, '0fa2');
    guest.set(L.RAM_BASE + 0x4000 + vector * 16, BigInt(handler & 0xffff) | (8n << 16n) | (0x8e00n << 32n));
  }
  // GDT at 0x4800: null, null-ish, code at 8, data at 0x10
  guest.set(L.RAM_BASE + 0x4808, 0x00af9b000000ffffn);
  guest.set(L.RAM_BASE + 0x4810, 0x00cf93000000ffffn);
  guest.field('GUEST_GDTR_BASE', 0x4800).field('GUEST_GDTR_LIMIT', 0x7f);
  return guest.field('GUEST_IDTR_BASE', 0x4000).field('GUEST_IDTR_LIMIT', 0x3ff);
}

describe('exceptions', () => {
  it('exits for a vector of the exception bitmap: #UD', () => {
    const guest = new VmxGuest().field('EXCEPTION_BITMAP', 1 << 6);
    expect(guest.exit('0f0b')).toEqual(expected('EXCEPTION_NMI', { intr: VALID + 0x306 }));
    expect(guest.number('GUEST_RFLAGS')).toBe(0x10002);
  });

  it('exits with error code for #GP', () => {
    const guest = new VmxGuest().field('EXCEPTION_BITMAP', 1 << 13);
    guest.setReg('rax', 0x4c);
    guest.load(0x4848, [0]);
    expect(guest.exit('8ed8')).toEqual(expected('EXCEPTION_NMI', { intr: VALID + 0xb0d, intrError: 0x4c }));
  });

  it('exits for INT3 as a software exception with its length', () => {
    const guest = new VmxGuest().field('EXCEPTION_BITMAP', 1 << 3);
    expect(guest.exit('cc')).toEqual(expected('EXCEPTION_NMI', { intr: VALID + 0x603, length: 1 }));
  });

  it('exits for INT1 as a privileged software exception', () => {
    const guest = new VmxGuest().field('EXCEPTION_BITMAP', 1 << 1);
    expect(guest.exit('f1')).toEqual(expected('EXCEPTION_NMI', { intr: VALID + 0x501, length: 1 }));
  });

  it('exits for #PF with address and code, by the page-fault mask and match', () => {
    const make = () => {
      const guest = idt(new VmxGuest());
      guest.set(L.RAM_BASE + 0x72000 + 8 * 3, 0n); // 6 MiB is not present
      guest.setReg('rbx', 0x600123);
      return guest;
    };
    const all = make().field('EXCEPTION_BITMAP', 1 << 14);
    expect(all.exit('8b03')).toEqual(expected('EXCEPTION_NMI', { qualification: 0x600123, intr: VALID + 0xb0e }));
    // bit 14 set and code & 2 == 2: only writes exit
    const writes = make()
      .field('EXCEPTION_BITMAP', 1 << 14)
      .field('PAGE_FAULT_ERROR_CODE_MASK', 2)
      .field('PAGE_FAULT_ERROR_CODE_MATCH', 2);
    expect(writes.exit('8b03').reason).toBe('CPUID');
    // bit 14 clear inverts the sense
    const inverted = make().field('PAGE_FAULT_ERROR_CODE_MASK', 2).field('PAGE_FAULT_ERROR_CODE_MATCH', 2);
    expect(inverted.exit('8b03').reason).toBe('EXCEPTION_NMI');
  });

  it('records what was being delivered when the exit came: #GP while delivering #UD', () => {
    const guest = new VmxGuest().field('EXCEPTION_BITMAP', 1 << 13);
    guest.field('GUEST_IDTR_LIMIT', 0);
    // selector-format error code: vector 6, IDT, external
    expect(guest.exit('0f0b')).toEqual(
      expected('EXCEPTION_NMI', { intr: VALID + 0xb0d, intrError: 6 * 8 + 3, vectoring: VALID + 0x306 }),
    );
  });

  it('ends in a triple fault without an IDT', () => {
    const guest = new VmxGuest().field('GUEST_IDTR_LIMIT', 0);
    expect(guest.exit('0f0b')).toEqual(expected('TRIPLE_FAULT'));
  });
});

describe('windows, timers and signals', () => {
  it('interrupt window: at entry when IF = 1, after STI and its shadow otherwise', () => {
    const open = new VmxGuest().field('GUEST_RFLAGS', IF).also('primary', ['Interrupt-window exiting']);
    expect(open.exit('90')).toEqual(expected('INTERRUPT_WINDOW'));
    const shut = new VmxGuest().also('primary', ['Interrupt-window exiting']);
    // nop; sti; nop; nop: the first boundary without STI blocking is behind the first nop after STI
    expect(shut.exit('90fb9090')).toEqual(expected('INTERRUPT_WINDOW', { rip: CODE + 3 }));
    expect(shut.number('GUEST_INTERRUPTIBILITY_INFO')).toBe(0);
  });

  it('interrupt window opens with POPF', () => {
    const guest = new VmxGuest().also('primary', ['Interrupt-window exiting']);
    guest.load(0x8000, '0202000000000000');
    expect(guest.exit('9d9090')).toEqual(expected('INTERRUPT_WINDOW', { rip: CODE + 1 }));
  });

  it('saves blocking by STI in an exit of the next instruction', () => {
    const guest = new VmxGuest().also('primary', ['HLT exiting']);
    expect(guest.exit('fbf4')).toEqual(expected('HLT', { length: 1, rip: CODE + 1 }));
    expect(guest.number('GUEST_INTERRUPTIBILITY_INFO')).toBe(1);
  });

  it('saves it too where the block behind STI is known, and not behind an instruction that cannot exit', () => {
    const blocking = (code: string): bigint | number => {
      const guest = idt(new VmxGuest()).field('EXCEPTION_BITMAP', 1 << 14);
      guest.set(L.RAM_BASE + 0x72000 + 8 * 3, 0n); // 6 MiB is not present
      guest.setReg('rbx', 0x1000);
      guest.setReg('rdx', 0x600000);
      expect(guest.exit(code)).toMatchObject({ reason: 'EXCEPTION_NMI', qualification: 0x601000 });
      return guest.number('GUEST_INTERRUPTIBILITY_INFO');
    };
    // jmp over; cli; sti; mov eax, [rbx]; add rbx, rdx; jmp to the cli
    expect(blocking('eb02fafb8b034801d3ebf7')).toBe(1);
    // the same with inc ecx, then cli, between
    expect(blocking('eb02fafbffc18b034801d3ebf5')).toBe(0);
    expect(blocking('eb02fafbfa8b034801d3ebf6')).toBe(0);
  });

  it('blocks by MOV SS for one instruction', () => {
    const guest = idt(new VmxGuest()).field('GUEST_RFLAGS', IF).also('primary', ['Interrupt-window exiting']);
    guest.field('GUEST_INTERRUPTIBILITY_INFO', 2);
    expect(guest.exit('9090')).toEqual(expected('INTERRUPT_WINDOW', { rip: CODE + 1 }));
  });

  it('NMI window: not in the shadow of STI', () => {
    const guest = new VmxGuest()
      .also('pin', ['NMI exiting', 'Virtual NMIs'])
      .also('primary', ['NMI-window exiting'])
      .field('GUEST_INTERRUPTIBILITY_INFO', 1)
      .field('GUEST_RFLAGS', IF);
    expect(guest.exit('9090')).toEqual(expected('NMI_WINDOW', { rip: CODE + 1 }));
  });

  it('NMI window: not while NMIs are blocked', () => {
    const guest = idt(new VmxGuest())
      .also('pin', ['NMI exiting', 'Virtual NMIs'])
      .also('primary', ['NMI-window exiting']);
    guest.field('GUEST_INTERRUPTIBILITY_INFO', 8);
    guest.load(CODE, '9090');
    guest.go(2);
    expect(guest.rip).toBe(0x1002n);
    const open = new VmxGuest().also('pin', ['NMI exiting', 'Virtual NMIs']).also('primary', ['NMI-window exiting']);
    expect(open.exit('90')).toEqual(expected('NMI_WINDOW'));
  });

  it('preemption timer: fires at its instruction, saves what is left', () => {
    const guest = new VmxGuest()
      .also('pin', ['Activate VMX-preemption timer'])
      .also('exit', ['Save VMX-preemption timer value']);
    guest.field('VMX_PREEMPTION_TIMER_VALUE', 5);
    expect(guest.exit('90'.repeat(20))).toEqual(expected('PREEMPTION_TIMER', { rip: CODE + 5 }));
    expect(guest.number('VMX_PREEMPTION_TIMER_VALUE')).toBe(0);
    guest.field('VMX_PREEMPTION_TIMER_VALUE', 9).field('GUEST_RIP', CODE);
    expect(guest.exit('90900fa2').reason).toBe('CPUID');
    expect(guest.number('VMX_PREEMPTION_TIMER_VALUE')).toBe(7);
    guest.field('VMX_PREEMPTION_TIMER_VALUE', 0).field('GUEST_RIP', CODE);
    expect(guest.exit('90')).toEqual(expected('PREEMPTION_TIMER'));
  });

  it('PAUSE takes 140 ns, which the preemption timer sees at once', () => {
    const guest = new VmxGuest().also('pin', ['Activate VMX-preemption timer']);
    guest.field('VMX_PREEMPTION_TIMER_VALUE', 300);
    expect(guest.exit(`f390f390f390${'90'.repeat(20)}`)).toEqual(expected('PREEMPTION_TIMER', { rip: CODE + 6 }));
    expect(guest.icount).toBe(3n);
    guest.field('VMX_PREEMPTION_TIMER_VALUE', 143).field('GUEST_RIP', CODE);
    expect(guest.exit(`f390${'90'.repeat(20)}`)).toEqual(expected('PREEMPTION_TIMER', { rip: CODE + 5 }));
  });

  it('preemption timer counts on while the vCPU halts', () => {
    const guest = new VmxGuest().also('pin', ['Activate VMX-preemption timer']);
    guest.field('VMX_PREEMPTION_TIMER_VALUE', 100);
    guest.load(CODE, 'f4');
    expect(guest.go()).toBe(L.RUN_HALTED);
    guest.set(L.CLOCK_OFFSET, 100);
    expect(guest.run(1000)).toBe(L.RUN_VMEXIT);
    expect(guest.record()).toEqual(expected('PREEMPTION_TIMER', { rip: CODE + 1 }));
    expect(guest.number('GUEST_ACTIVITY_STATE')).toBe(1);
  });

  it('monitor trap flag: after one instruction, without a trace in RFLAGS', () => {
    const guest = new VmxGuest().also('primary', ['Monitor trap flag']);
    expect(guest.exit('eb009090')).toEqual(expected('MONITOR_TRAP_FLAG', { rip: CODE + 2 }));
    expect(guest.number('GUEST_RFLAGS')).toBe(2);
    expect(guest.go()).toBe(L.RUN_VMEXIT);
    expect(guest.record()).toEqual(expected('MONITOR_TRAP_FLAG', { rip: CODE + 3 }));
  });

  it('monitor trap flag: before the handler of a fault and of an injected event', () => {
    const fault = idt(new VmxGuest()).also('primary', ['Monitor trap flag']);
    expect(fault.exit('0f0b')).toEqual(expected('MONITOR_TRAP_FLAG', { rip: 0x5060 }));
    const injected = idt(new VmxGuest())
      .also('primary', ['Monitor trap flag'])
      .field('VM_ENTRY_INTR_INFO', VALID + 0x306);
    expect(injected.exit('90')).toEqual(expected('MONITOR_TRAP_FLAG', { rip: 0x5060 }));
  });

  it('monitor trap flag: after each iteration of REP', () => {
    const guest = new VmxGuest().also('primary', ['Monitor trap flag']);
    guest.setReg('rcx', 2);
    guest.setReg('rdi', 0x5000);
    expect(guest.exit('f3aa90').rip).toBe(CODE);
    expect(guest.reg('rcx')).toBe(1n);
    guest.go();
    expect([guest.record().rip, guest.reg('rcx')]).toEqual([CODE + (guest.reg('rcx') === 0n ? 2 : 0), 0n]);
  });

  it('external interrupt: exits with its vector when acknowledged', () => {
    const guest = new VmxGuest()
      .also('pin', ['External-interrupt exiting'])
      .also('exit', ['Acknowledge interrupt on exit']);
    guest.load(CODE, '9090');
    guest.go(1);
    expect(guest.vmx.externalInterrupt(0x31)).toBe(L.XS_EXIT);
    expect(guest.record()).toEqual(expected('EXTERNAL_INTERRUPT', { intr: VALID + 0x31, rip: CODE + 1 }));
    expect(guest.vmx.externalInterrupt(0x31)).toBe(-1);
  });

  it('external interrupt: goes through the IDT without the control, when IF allows', () => {
    const guest = idt(new VmxGuest());
    guest.load(CODE, 'f490');
    expect(guest.go()).toBe(L.RUN_HALTED);
    expect(guest.vmx.externalInterrupt(0x20)).toBe(-1);
    guest.set(L.RFLAGS, IF);
    expect(guest.vmx.externalInterrupt(0x20)).toBe(L.XS_OK);
    expect(guest.run(10)).toBe(L.RUN_VMEXIT);
    expect(guest.record().rip).toBe(0x5000 + 0x200);
    expect(guest.ram64(Number(guest.value('GUEST_RSP')))).toBe(0x1001n);
  });

  it('NMI, INIT and SIPI', () => {
    const guest = new VmxGuest().also('pin', ['NMI exiting']);
    guest.load(CODE, '90909090');
    guest.go(1);
    expect(guest.vmx.nmi()).toBe(L.XS_EXIT);
    expect(guest.record()).toEqual(expected('EXCEPTION_NMI', { intr: VALID + 0x202, rip: CODE + 1 }));
    guest.go(1);
    expect(guest.vmx.sipi(0x9f)).toBe(-1);
    expect(guest.vmx.initSignal()).toBe(L.XS_EXIT);
    expect(guest.record()).toEqual(expected('INIT_SIGNAL', { rip: CODE + 2 }));
    guest.field('GUEST_ACTIVITY_STATE', 3);
    expect(guest.go()).toBe(L.RUN_HALTED);
    expect(guest.vmx.initSignal()).toBe(-1);
    expect(guest.vmx.sipi(0x9f)).toBe(L.XS_EXIT);
    expect(guest.record()).toEqual(expected('SIPI_SIGNAL', { qualification: 0x9f, rip: CODE + 2 }));
  });

  it('TPR below threshold: after MOV to CR8, and at entry with virtualized APIC accesses', () => {
    const guest = new VmxGuest().also('primary', ['Use TPR shadow']).field('TPR_THRESHOLD', 5);
    guest.set32(L.VIRTUAL_APIC_BASE + 0x80, 0x70);
    guest.setReg('rax', 4);
    // mov rbx,cr8; mov cr8,rax
    expect(guest.exit('440f20c3440f22c0')).toEqual(expected('TPR_BELOW_THRESHOLD', { rip: CODE + 8 }));
    expect(guest.reg('rbx')).toBe(7n);
    expect(guest.get32(L.VIRTUAL_APIC_BASE + 0x80)).toBe(0x40);
    expect(guest.entry()).toBe(L.ENTER_VMFAIL);
    guest.also('secondary', ['Virtualize APIC accesses']);
    expect(guest.go()).toBe(L.RUN_VMEXIT);
    expect(guest.record()).toEqual(expected('TPR_BELOW_THRESHOLD', { rip: CODE + 8 }));
  });

  it('PAUSE-loop exiting: a tight loop longer than the window', () => {
    const guest = new VmxGuest()
      .also('secondary', ['PAUSE-loop exiting'])
      .field('PLE_GAP', 200)
      .field('PLE_WINDOW', 400);
    expect(guest.exit('f390ebfc')).toEqual(expected('PAUSE_INSTRUCTION', { length: 2 }));
    // PAUSEs at 0, 141, 282 and 423 ns: the fourth is past the window
    expect(guest.icount).toBe(6n);
    const slow = new VmxGuest().also('secondary', ['PAUSE-loop exiting']).field('PLE_GAP', 1).field('PLE_WINDOW', 20);
    slow.load(CODE, 'f390ebfc');
    expect(slow.go(1000)).toBe(L.RUN_LIMIT);
  });
});

describe('event injection', () => {
  it('delivers a hardware exception with its error code, and clears the valid bit at the next exit', () => {
    const guest = idt(new VmxGuest())
      .field('VM_ENTRY_INTR_INFO', VALID + 0xb0d)
      .field('VM_ENTRY_EXCEPTION_ERROR_CODE', 0x123);
    expect(guest.exit('90')).toEqual(expected('CPUID', { ...DATA, length: 2, rip: 0x50d0 }));
    expect(guest.number('VM_ENTRY_INTR_INFO')).toBe(0xb0d);
    const sp = Number(guest.value('GUEST_RSP'));
    expect([guest.ram64(sp), guest.ram64(sp + 8)]).toEqual([0x123n, 0x1000n]);
  });

  it('returns behind the instruction of a software interrupt', () => {
    const guest = idt(new VmxGuest())
      .field('VM_ENTRY_INTR_INFO', VALID + 0x421)
      .field('VM_ENTRY_INSTRUCTION_LEN', 2);
    guest.exit('cd21');
    expect(guest.ram64(Number(guest.value('GUEST_RSP')))).toBe(0x1002n);
  });

  it('does not intercept the injected exception itself, but one that its delivery meets', () => {
    const guest = idt(new VmxGuest())
      .field('EXCEPTION_BITMAP', 0xffffffff)
      .field('VM_ENTRY_INTR_INFO', VALID + 0x306);
    expect(guest.exit('90').reason).toBe('CPUID');
    const bad = new VmxGuest().field('GUEST_IDTR_LIMIT', 0).field('EXCEPTION_BITMAP', 1 << 13);
    bad.field('VM_ENTRY_INTR_INFO', VALID + 0x421).field('VM_ENTRY_INSTRUCTION_LEN', 2);
    expect(bad.exit('cd21')).toEqual(
      expected('EXCEPTION_NMI', { intr: VALID + 0xb0d, intrError: 0x21 * 8 + 2, vectoring: VALID + 0x421, length: 2 }),
    );
  });

  it('wakes a halted guest, and blocks NMIs after an NMI', () => {
    const guest = idt(new VmxGuest())
      .field('GUEST_ACTIVITY_STATE', 1)
      .field('VM_ENTRY_INTR_INFO', VALID + 0x202);
    expect(guest.exit('90').rip).toBe(0x5020);
    expect(guest.number('GUEST_ACTIVITY_STATE')).toBe(0);
    expect(guest.number('GUEST_INTERRUPTIBILITY_INFO')).toBe(8);
  });

  it('delivers a pending debug exception after entry', () => {
    const guest = idt(new VmxGuest()).field('GUEST_PENDING_DBG_EXCEPTIONS', 0x4000);
    expect(guest.exit('90').rip).toBe(0x5010);
    const blocked = idt(new VmxGuest())
      .field('GUEST_PENDING_DBG_EXCEPTIONS', 0x4000)
      .also('primary', ['Monitor trap flag']);
    blocked.field('GUEST_INTERRUPTIBILITY_INFO', 2).field('GUEST_RFLAGS', 0x102);
    blocked.exit('90');
    expect(blocked.record().reason).toBe('MONITOR_TRAP_FLAG');
    expect(blocked.number('GUEST_PENDING_DBG_EXCEPTIONS')).toBe(0x4000);
  });

  it('injects a pending MTF exit (type 7)', () => {
    const guest = new VmxGuest().field('VM_ENTRY_INTR_INFO', VALID + 0x700);
    expect(guest.exit('90')).toEqual(expected('MONITOR_TRAP_FLAG'));
  });
});
