// Getting a vCPU out of KVM_RUN from another thread, with a signal that no thread ever handles:
// the vCPU's thread blocks it, KVM_SET_SIGNAL_MASK lets it in while the guest runs, so KVM_RUN
// answers EINTR and the signal stays pending until consume() takes it. A kick that comes before
// KVM_RUN is pending there too, so none is lost. The process ignores the signal: one that
// reaches a thread that does not block it is dropped by the kernel.
import { libc, SIG_BLOCK, SIG_IGN } from './libc.js';
import type { KvmVcpu } from './vcpu.js';

/** A real-time signal that neither Node nor glibc uses. */
export const KICK_SIGNAL = 44;

const SIGNAL_SET_BYTES = 128; // glibc's sigset_t; the kernel reads the first 8

function signalSet(signal: number): Uint8Array {
  const set = new Uint8Array(SIGNAL_SET_BYTES);
  set[(signal - 1) >> 3] = 1 << ((signal - 1) & 7);
  return set;
}

/** Plain data, so it can be posted to the thread that kicks. */
export interface KickTarget {
  pid: number;
  tid: number;
}

/** Prepares the calling thread, which runs `vcpu`, to be kicked. */
export function acceptKicks(vcpu: KvmVcpu): KickTarget {
  vcpu.setSignalMask(0n);
  return blockKicks();
}

/** The part of `acceptKicks` that is the thread's: its kicks wait outside KVM_RUN. */
export function blockKicks(): KickTarget {
  const c = libc();
  c.signal(KICK_SIGNAL, SIG_IGN);
  c.pthreadSigmask(SIG_BLOCK, signalSet(KICK_SIGNAL), null);
  return { pid: c.getpid(), tid: c.gettid() };
}

/** Makes the vCPU's KVM_RUN, the present or the next one, answer INTERRUPTED. Any thread; false when that thread is gone. */
export function kick(target: KickTarget): boolean {
  return libc().tgkill(target.pid, target.tid, KICK_SIGNAL) === 0;
}

/** Takes a pending kick in the vCPU's thread after INTERRUPTED; false when there was none. */
export function consumeKick(): boolean {
  return libc().sigtimedwait(signalSet(KICK_SIGNAL), null, new Uint8Array(16)) === KICK_SIGNAL;
}
