// The data of string I/O: as many elements as one exit moves between a device and the latches of its instruction.
import { PORT_ACCESS_NS } from '../core/prices.js';
import { nextEvent } from './pending-events.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

interface StringAccess {
  port: number;
  /** Of an element: 1, 2 or 4. */
  bytes: number;
  write: boolean;
  /** Elements that the instruction would take now. */
  most: number;
}

/** What each element after the first takes, as if it were an instruction of its own. */
const elementNs = ({ instructionNs }: Vcpu): number => PORT_ACCESS_NS + instructionNs;

/**
 * Moves elements until something came up that a VM entry between two of them would see: an interrupt, the guest's end, a device's
 * work that falls due or is due at another time than before. What ends it is the machine's state alone, so that a run repeats.
 * The time of the first element has passed already.
 */
export function moveString(vm: Vm, vcpu: Vcpu, access: StringAccess): { first: number; count: number } {
  const { board, host } = vm;
  const { port, bytes, write, most } = access;
  const data = vcpu.stringData();
  const elements = bytes === 1 ? host.u8 : bytes === 2 ? host.u16 : host.u32;
  const start = data / bytes;
  const event = nextEvent(vm, vcpu);
  const before = vcpu.woken;
  vcpu.woken = false;
  let count = 0;
  do {
    if (count > 0) vm.spend(elementNs(vcpu));
    if (write) {
      board.portWrite(vcpu.index, port, bytes, elements[start + count]);
      vm.takeEnd();
    } else elements[start + count] = board.portRead(vcpu.index, port, bytes);
    count++;
  } while (count < most && !vcpu.woken && !vm.end && isAhead(vm, vcpu, event));
  vcpu.woken ||= before;
  if (write) vm.quick.keepPort(board, port, bytes);
  vcpu.addStringLatch(port, bytes, count, write);
  return { first: elements[start], count };
}

/** The next element is done before the devices' next work, which is due when it was. */
function isAhead(vm: Vm, vcpu: Vcpu, event: number | undefined): boolean {
  const next = nextEvent(vm, vcpu);
  return next === event && (next === undefined || vm.now() + elementNs(vcpu) < next);
}
