/** Tries the host's KVM_SET_GUEST_DEBUG in a thread of its own: a KVM that does not come back holds up only that. */
import { parentPort, workerData } from 'node:worker_threads';
import { Kvm } from '../engine/host/kvm/kvm.js';
import { probeDebugging } from '../engine/host/kvm-engine/debug-abilities.js';

const kvm = Kvm.open();
try {
  parentPort!.postMessage(probeDebugging(kvm, workerData as boolean));
} finally {
  kvm.close();
}
