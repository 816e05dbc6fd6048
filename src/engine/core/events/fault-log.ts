// A ring of the events that the guest was to take, for whoever asks afterwards why it shut down.
import {
  FAULT_LOG, FAULT_LOG_BYTES, FAULT_LOG_ENTRIES, FAULT_LOG_ERROR, FAULT_LOG_NESTED, FAULT_LOG_TYPE_SHIFT, FAULT_LOG_VCPU_SHIFT,
  ICOUNT, RIP, SEG_CS, VCPU_INDEX,
} from '../layout';
import { segSelector } from '../state';

/**
 * Adds an event. `type`: TYPE_* of an interruption; `nested`: it arose while the entry before it was being delivered;
 * `address`: CR2 of a #PF.
 */
export function logEvent(vector: u32, type: u32, hasError: bool, error: u32, address: u64, nested: bool): void {
  const count = load<u32>(FAULT_LOG);
  const at = FAULT_LOG + 16 + (count % FAULT_LOG_ENTRIES) * FAULT_LOG_BYTES;
  const flags = (hasError ? FAULT_LOG_ERROR : 0) | (nested ? FAULT_LOG_NESTED : 0) | type << FAULT_LOG_TYPE_SHIFT
    | load<u32>(VCPU_INDEX) << FAULT_LOG_VCPU_SHIFT;
  store<u32>(at, vector);
  store<u32>(at, hasError ? error : 0, 4);
  store<u64>(at, load<u64>(RIP), 8);
  store<u64>(at, address, 16);
  store<u64>(at, load<u64>(ICOUNT), 24);
  store<u32>(at, flags, 32);
  store<u32>(at, segSelector(SEG_CS), 36);
  store<u32>(FAULT_LOG, count + 1);
}
