/** Admin commands: queues, identities, features, logs. @nvme 5 "Admin Command Set" */
import { list, record, type StateOf, u16, u32 } from '../../state/schema.js';
import type { BlockStore } from '../block.js';
import type { BusMaster } from '../pci/bus-master.js';
import { dataPointers, type NvmCommands } from './commands.js';
import { activeNamespaces, identifyController, identifyNamespace, logPage, namespaceDescriptors } from './identify.js';
import { CommandError, type Piece, pieces, scatter } from './prp.js';
import type { Completion, Queues } from './queues.js';
import { ADMIN, IO_QUEUES, MAX_ENTRIES, STATUS } from './registers.js';

const EVENTS = 4;
const NAMESPACE = 1;
const ALL_NAMESPACES = 0xffff_ffff;
const FEATURE_TEMPERATURE = 0x04;
const FEATURE_CACHE = 0x06;
const FEATURE_QUEUES = 0x07;
/** Numbers of features that only keep what was set: arbitration, power, errors, coalescing, vectors, atomicity, events. */
const FEATURES = [0x01, 0x02, FEATURE_TEMPERATURE, 0x05, FEATURE_CACHE, FEATURE_QUEUES, 0x08, 0x09, 0x0a, 0x0b];
const POWER_ON: Readonly<Record<number, number>> = { [FEATURE_TEMPERATURE]: 343, [FEATURE_CACHE]: 1, 1: 6 };
const DEFAULT_VALUE = 1;

const STATE = record({
  /** Requests for events, by command: nothing happens that they would tell of. */
  events: list(u16, { atMost: EVENTS }),
  features: list(u32, FEATURES.length),
});
type AdminState = StateOf<typeof STATE>;

export interface AdminOptions {
  store: BlockStore;
  serial: string;
  bus: BusMaster;
  queues: Queues;
  nvm: NvmCommands;
  pageBytes(): number;
  /** Interrupt vectors that there are. */
  vectors(): number;
}

export class AdminCommands {
  readonly shape = STATE;
  private s = powerOn();

  constructor(private readonly options: AdminOptions) {}

  reset(): void {
    this.s = powerOn();
  }

  /** @returns undefined: the command stays with the controller */
  run(command: DataView): Completion | undefined {
    try {
      return this.execute(command);
    } catch (error) {
      if (error instanceof CommandError) return { result: 0, status: error.status };
      throw error;
    }
  }

  private execute(command: DataView): Completion | undefined {
    const done = { result: 0, status: STATUS.success };
    const word = command.getUint32(40, true);
    const id = word & 0xffff;
    switch (command.getUint8(0)) {
      case ADMIN.identify:
        this.answer(command, this.identify(command), 4096);
        return done;
      case ADMIN.createCq:
        this.createCompletion(command, id, (word >>> 16) + 1);
        return done;
      case ADMIN.createSq:
        this.createSubmission(command, id, (word >>> 16) + 1);
        return done;
      case ADMIN.deleteSq:
        if (id === 0 || !this.options.queues.sq(id)) throw new CommandError(STATUS.invalidQueueId);
        this.options.queues.removeSubmission(id);
        return done;
      case ADMIN.deleteCq:
        this.deleteCompletion(id);
        return done;
      case ADMIN.getLogPage:
        this.getLog(command, word);
        return done;
      case ADMIN.setFeatures:
      case ADMIN.getFeatures:
        return { result: this.feature(command, word), status: STATUS.success };
      case ADMIN.abort:
        // what was submitted is done before an abort could come
        return { result: 1, status: STATUS.success };
      case ADMIN.asyncEvent:
        if (this.s.events.length >= EVENTS) throw new CommandError(STATUS.asyncLimit);
        this.s.events.push(command.getUint16(2, true));
        return undefined;
      default:
        throw new CommandError(STATUS.invalidOpcode);
    }
  }

  /** Puts data where the command's pointers say. */
  private answer(command: DataView, data: Uint8Array, bytes: number): void {
    const { bus, pageBytes } = this.options;
    const { prp1, prp2 } = dataPointers(command);
    const to: Piece[] = pieces(bus, pageBytes(), prp1, prp2, bytes);
    scatter(bus, to, data.subarray(0, bytes));
  }

  private identify(command: DataView): Uint8Array {
    const { store, serial } = this.options;
    const namespace = command.getUint32(4, true);
    const mustBe = () => {
      if (namespace !== NAMESPACE) throw new CommandError(STATUS.invalidNamespace);
    };
    switch (command.getUint8(40)) {
      case 0:
        if (namespace !== ALL_NAMESPACES) mustBe();
        return identifyNamespace(store, serial);
      case 1:
        return identifyController(serial);
      case 2:
        if (namespace >= 0xffff_fffe) throw new CommandError(STATUS.invalidNamespace);
        return activeNamespaces(namespace);
      case 3:
        mustBe();
        return namespaceDescriptors(serial);
      default:
        throw new CommandError(STATUS.invalidField);
    }
  }

  private getLog(command: DataView, word: number): void {
    const log = logPage(word & 0xff, this.options.nvm.work);
    if (!log) throw new CommandError(STATUS.invalidLogPage);
    const bytes = ((word >>> 16) + (command.getUint32(44, true) & 0xffff) * 65536 + 1) * 4;
    const offset = command.getUint32(48, true) + command.getUint32(52, true) * 2 ** 32;
    if (offset % 4 !== 0 || offset > log.length) throw new CommandError(STATUS.invalidField);
    const part = log.subarray(offset);
    this.answer(command, part, Math.min(bytes, Math.max(part.length, 4)));
  }

  private feature(command: DataView, word: number): number {
    const at = FEATURES.indexOf(word & 0xff);
    if (at < 0) throw new CommandError(STATUS.invalidField);
    const number = FEATURES[at];
    const queues = number === FEATURE_QUEUES ? (IO_QUEUES - 1) | ((IO_QUEUES - 1) << 16) : undefined;
    if (command.getUint8(0) === ADMIN.getFeatures) {
      const select = (word >>> 8) & 7;
      return queues ?? (select === DEFAULT_VALUE ? (POWER_ON[number] ?? 0) : this.s.features[at]);
    }
    const value = command.getUint32(44, true);
    // as many as there are of either kind, but none of 65536
    if (queues !== undefined && ((value & 0xffff) === 0xffff || value >>> 16 === 0xffff))
      throw new CommandError(STATUS.invalidField);
    this.s.features[at] = value;
    return queues ?? 0;
  }

  private checkQueue(command: DataView, id: number, entries: number, exists: boolean, entryBytes: number): number {
    const { bus, pageBytes } = this.options;
    if (id === 0 || id > IO_QUEUES || exists) throw new CommandError(STATUS.invalidQueueId);
    if (entries < 2 || entries > MAX_ENTRIES) throw new CommandError(STATUS.invalidQueueSize);
    if ((command.getUint32(44, true) & 1) === 0) throw new CommandError(STATUS.invalidField);
    const { prp1 } = dataPointers(command);
    if (prp1 % pageBytes() !== 0 || prp1 === 0) throw new CommandError(STATUS.invalidPrp);
    if (!bus.contains(prp1, entries * entryBytes)) throw new CommandError(STATUS.invalidPrp);
    return prp1;
  }

  private createCompletion(command: DataView, id: number, entries: number): void {
    const { queues, vectors } = this.options;
    const gpa = this.checkQueue(command, id, entries, queues.cq(id) !== undefined, 16);
    const how = command.getUint32(44, true);
    if (how >>> 16 >= vectors()) throw new CommandError(STATUS.invalidVector);
    queues.addCompletion(id, gpa, entries, how >>> 16, (how & 2) !== 0);
  }

  private createSubmission(command: DataView, id: number, entries: number): void {
    const { queues } = this.options;
    const gpa = this.checkQueue(command, id, entries, queues.sq(id) !== undefined, 64);
    const completion = command.getUint32(44, true) >>> 16;
    if (completion === 0 || !queues.cq(completion)) throw new CommandError(STATUS.invalidCq);
    queues.addSubmission(id, gpa, entries, completion);
  }

  private deleteCompletion(id: number): void {
    const { queues } = this.options;
    if (id === 0 || !queues.cq(id)) throw new CommandError(STATUS.invalidQueueId);
    if (queues.submission.some(({ completion }) => completion === id)) throw new CommandError(STATUS.invalidDeletion);
    queues.removeCompletion(id);
  }

  save(): AdminState {
    return this.s;
  }

  load(state: AdminState): void {
    this.s = state;
  }
}

function powerOn(): AdminState {
  return { events: [], features: FEATURES.map((number) => POWER_ON[number] ?? 0) };
}
