// Several vCPUs at once, each in its thread: this thread answers exits as they come, runs the devices when they are
// due, and calls vCPUs back for interrupts. vCPUs go on while the thread does other work between two slices.
import type { SliceEnd } from '../../vmm/hypervisor.js';
import type { KvmCpu } from './kvm-cpu.js';
import type { KvmHypervisor } from './kvm-hypervisor.js';
import type { VcpuThreads } from './vcpu-threads.js';

/** A slice ends after this time, so that the thread's other work waits no longer. */
const SLICE_MS = 4;
/** A vCPU that is in KVM_RUN for longer is stuck: its thread's timer calls it back more often. */
const OVERDUE_MS = 1000;

/** Why a slice came back, and on which vCPU. */
export interface Turn {
  vcpu: KvmCpu;
  end: SliceEnd;
}

export class Together {
  /** Who is asked first whether it has something to run. */
  private first = 0;

  constructor(
    private readonly vm: KvmHypervisor,
    private readonly threads: VcpuThreads,
  ) {}

  run(): Turn {
    const { vm, threads } = this;
    vm.go();
    const until = performance.now() + SLICE_MS;
    vm.breakpoints.arm(vm.vcpus.map(({ stepOff }) => stepOff));
    const first = this.stepOff() ?? this.pending();
    if (first) return this.stop(first);
    for (;;) {
      const { bell } = threads;
      const stop = this.takeReturns();
      if (stop) return this.stop(stop);
      vm.runDevices();
      if (vm.end) return this.stop({ vcpu: vm.vcpus[0], end: { kind: 'ended' } });
      const now = performance.now();
      const started = this.startThose(now);
      if (started === 'none') return { vcpu: vm.vcpus[0], end: vm.idle() };
      if (typeof started === 'object') return this.stop(started);
      if (now >= until) return { vcpu: vm.vcpus[0], end: vm.isDeaf(now) ? vm.idle() : { kind: 'limit' } };
      if (started === 'running') threads.wait(bell, Math.min(until, vm.nextDeadlineMs()) - now);
    }
  }

  /** All vCPUs stand; what the others came back with waits for the next slice. */
  private stop(turn: Turn): Turn {
    this.threads.stop();
    this.vm.breakpoints.disarm();
    return turn;
  }

  /** vCPUs that stand on an INT3 of the debugger's leave it before the others run, who are to stop there. */
  private stepOff(): Turn | undefined {
    const { vm } = this;
    for (const vcpu of vm.vcpus) {
      if (vcpu.held || vcpu.stepOff === undefined || !vm.breakpoints.inMemoryAt(vcpu.stepOff)) continue;
      vm.armStep(vcpu, 1);
      const end = vm.runSlice(vcpu, 1);
      vm.disarmStep(vcpu);
      if (end.kind !== 'step' && end.kind !== 'idle') return { vcpu, end };
    }
    vm.breakpoints.arm(vm.vcpus.map(({ stepOff }) => stepOff));
    return undefined;
  }

  /** Exits at which a debugger had stopped the guest. */
  private pending(): Turn | undefined {
    for (const vcpu of this.vm.vcpus) {
      if (vcpu.held || vcpu.pendingExit === undefined) continue;
      const end = this.vm.handle(vcpu, vcpu.pendingExit);
      if (end) return { vcpu, end };
    }
    return undefined;
  }

  private takeReturns(): Turn | undefined {
    for (const vcpu of this.vm.vcpus) {
      if (vcpu.held || !vcpu.thread?.returned) continue;
      const end = this.vm.returned(vcpu, vcpu.thread.take());
      if (end) return { vcpu, end };
    }
    return undefined;
  }

  /**
   * Starts all vCPUs that have something to run. `again`: one of them got on without KVM, so that there may be more to do
   * at once.
   */
  private startThose(now: number): 'none' | 'running' | 'again' | Turn {
    const { vm } = this;
    const { vcpus } = vm;
    // what one vCPU has written is looked at before another one runs
    const alone = vm.breakpoints.stepping;
    let running = alone && vcpus.some(({ thread }) => thread?.running);
    let again = false;
    let overdue: KvmCpu | undefined;
    for (let i = 0; i < vcpus.length; i++) {
      const cpu = vcpus[(this.first + i) % vcpus.length];
      const thread = cpu.thread!;
      if (cpu.held) continue;
      if (thread.running) {
        const patience = cpu.standstill?.patienceMs ?? Number.POSITIVE_INFINITY;
        if (vm.interrupts.wantsAttention(cpu) || now - thread.startedAt > patience) thread.kick();
        if (now - thread.startedAt > OVERDUE_MS) overdue ??= cpu;
      } else if (!thread.returned) {
        if (alone && running) continue;
        cpu.woken = false;
        if (!vm.interrupts.makeReady(cpu)) continue;
        const instead = vm.repairs.inPlaceOfRun(cpu);
        if (instead?.end) return { vcpu: cpu, end: instead.end };
        if (instead) again = true;
        else {
          vm.prepare(cpu);
          thread.start();
        }
      }
      running = true;
    }
    this.first = (this.first + 1) % vcpus.length;
    vm.heartbeat?.driving(overdue);
    if (again) return 'again';
    return running ? 'running' : 'none';
  }
}
