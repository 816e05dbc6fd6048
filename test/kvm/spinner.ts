// Worker of kvm.test.ts: a guest that never exits by itself; tells each return of KVM_RUN.
import { parentPort } from 'node:worker_threads';
import { acceptKicks, consumeKick, INTERRUPTED } from '../../src/engine/host/kvm/index.js';
import { realModeGuest } from './guest.js';

const { vm, kvm, vcpu } = realModeGuest([0xeb, 0xfe]);
parentPort!.postMessage({ event: 'ready', target: acceptKicks(vcpu) });
parentPort!.on('message', (what: 'run' | 'end') => {
  if (what === 'end') {
    vm.close();
    kvm.close();
    parentPort!.postMessage({ event: 'ended' });
    return;
  }
  const reason = vcpu.run();
  const event = reason === INTERRUPTED && consumeKick() ? 'interrupted' : `exit ${reason}`;
  parentPort!.postMessage({ event });
});
