// The thread of one vCPU: it waits to be told, runs the guest until KVM_RUN comes back, and tells. Everything else
// about the vCPU is done by the devices' thread while this one waits.
import { workerData } from 'node:worker_threads';
import { IOCTLS } from '../kvm/ioctls.js';
import { blockKicks, consumeKick } from '../kvm/kick.js';
import { libc } from '../kvm/libc.js';
import { KickTimer } from './kick-timer.js';
import { BELL, cellOf, ERRNO, STATE, THREAD, TID, type VcpuThreadData } from './thread-cells.js';

/** KVM_RUN comes back at least this often, so that a thread whose engine is gone can end. */
const ALIVE_NS = 100e6;

const { cells, vcpu, fd } = workerData as VcpuThreadData;
const state = cellOf(vcpu, STATE);
const c = libc();
const { tid } = blockKicks();
const timer = new KickTimer(tid);
timer.set(ALIVE_NS, ALIVE_NS);
Atomics.store(cells, cellOf(vcpu, TID), tid);
tell(THREAD.waiting);
for (;;) {
  const now = Atomics.load(cells, state);
  if (now === THREAD.quit) break;
  if (now !== THREAD.running) {
    Atomics.wait(cells, state, now);
    continue;
  }
  const errno = c.ioctlValue(fd, IOCTLS.KVM_RUN, 0) < 0 ? c.errno() : 0;
  if (errno !== 0) while (consumeKick());
  Atomics.store(cells, cellOf(vcpu, ERRNO), errno);
  tell(THREAD.returned);
}
timer.close();
while (consumeKick());
tell(THREAD.gone);

function tell(value: number): void {
  // one that was told to end meanwhile does so
  if (value === THREAD.gone) Atomics.store(cells, state, value);
  else Atomics.compareExchange(cells, state, value === THREAD.waiting ? THREAD.starting : THREAD.running, value);
  Atomics.add(cells, BELL, 1);
  Atomics.notify(cells, BELL);
}
