/** All packets that the stub knows, a row each. */

import { expandRuns } from '../../rsp/packet.js';
import type { Command, Reply } from '../command.js';
import type { Session } from '../session.js';
import { allocate, deallocate } from './allocate.js';
import { allow } from './allow.js';
import { attach } from './attach.js';
import { attached } from './attached.js';
import { insertBreakpoint, removeBreakpoint } from './breakpoint.js';
import { catchSyscalls } from './catch-syscalls.js';
import { continueRun, continueSignal } from './continue.js';
import { crc } from './crc.js';
import { detach } from './detach.js';
import { extendedMode } from './extended-mode.js';
import { hostFile } from './host-file.js';
import { hostInfo, processInfo } from './host-info.js';
import { interrupt } from './interrupt.js';
import { kill, killProcess } from './kill.js';
import { enableErrorStrings, threadSuffixSupported, threadsInStopReply } from './lldb-options.js';
import { memoryRegionInfo } from './memory-region-info.js';
import { monitor } from './monitor.js';
import { mustReplyEmpty } from './must-reply-empty.js';
import { nonStop, vStopped } from './non-stop.js';
import { offsets } from './offsets.js';
import { qemuCommands } from './qemu.js';
import { querySupported } from './query-supported.js';
import { queryXfer } from './query-xfer.js';
import { readMemory, readMemoryBinary } from './read-memory.js';
import { readRegister } from './read-register.js';
import { readRegisters } from './read-registers.js';
import { restart, runProgram } from './restart.js';
import { reverse } from './reverse.js';
import { searchMemory } from './search-memory.js';
import { startNoAck } from './start-no-ack.js';
import { step, stepSignal } from './step.js';
import { stopReason } from './stop-reason.js';
import { symbol } from './symbol.js';
import { getTlsAddress } from './thread-local.js';
import { currentThread, firstThreads, moreThreads, setThread, threadAlive, threadExtraInfo } from './threads.js';
import { threadsInfo } from './threads-info.js';
import { tracepointCommands } from './tracepoint.js';
import { vCont, vContQuery } from './vcont.js';
import { writeMemory, writeMemoryBinary } from './write-memory.js';
import { writeRegister } from './write-register.js';
import { writeRegisters } from './write-registers.js';

export const COMMANDS: readonly Command[] = [
  // connect
  querySupported,
  startNoAck,
  mustReplyEmpty,
  extendedMode,
  allow,
  stopReason,
  attached,
  attach,
  detach,
  kill,
  killProcess,
  restart,
  runProgram,
  symbol,
  offsets,
  // look
  queryXfer,
  hostFile,
  readRegisters,
  writeRegisters,
  readRegister,
  writeRegister,
  readMemory,
  readMemoryBinary,
  writeMemory,
  writeMemoryBinary,
  crc,
  searchMemory,
  monitor,
  ...qemuCommands,
  // run
  continueRun,
  continueSignal,
  step,
  stepSignal,
  vCont,
  vContQuery,
  nonStop,
  vStopped,
  interrupt,
  reverse,
  insertBreakpoint,
  removeBreakpoint,
  catchSyscalls,
  ...tracepointCommands,
  // threads
  setThread,
  threadAlive,
  currentThread,
  firstThreads,
  moreThreads,
  threadExtraInfo,
  getTlsAddress,
  // LLDB
  threadSuffixSupported,
  threadsInStopReply,
  enableErrorStrings,
  hostInfo,
  processInfo,
  memoryRegionInfo,
  threadsInfo,
  allocate,
  deallocate,
];

const BY_NAME = new Map(COMMANDS.map((command) => [command.name, command]));

/** First letters whose packets have names; all other packets are one letter. */
const NAMED = new Set(['q', 'Q', 'v', 'j']);

function nameOf(payload: string): string {
  if (payload[0] === '_') return payload.slice(0, 2);
  if (!NAMED.has(payload[0])) return payload[0] ?? '';
  const delimiter = payload.search(/[:;,=]/);
  return delimiter < 0 ? payload : payload.slice(0, delimiter);
}

/** Runs one packet; unknown ones get the empty reply that says so. */
export function dispatch(payload: string, session: Session): Reply | Promise<Reply> {
  const name = nameOf(payload);
  const command = BY_NAME.get(name);
  if (command === undefined) return '';
  const args = payload.slice(name.length);
  const text = command.binary ? args : expandRuns(args);
  return text === undefined ? session.error(22, 'malformed run-length encoding') : command.run(text, session);
}
