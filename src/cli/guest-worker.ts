/** The engine's thread: builds the guest, serves the debugger API to the main thread and GDB to the network. */

import { once } from 'node:events';
import { parentPort } from 'node:worker_threads';
import { ImageError } from '../engine/boot/image.js';
import type { CodeFile } from '../engine/debug/types/code-file.js';
import { viewOfVm } from '../engine/debug/vtx-view.js';
import type { Drive } from '../engine/devices/block.js';
import { PciBusFullError } from '../engine/devices/pci/bus.js';
import { romFont } from '../engine/devices/vga/rom-font.js';
import { RewindableStore } from '../engine/disk/rewindable-store.js';
import { createCore, HostMemoryError } from '../engine/host/core-instance.js';
import { fileCause } from '../engine/host/file-cause.js';
import { Guest } from '../engine/host/guest.js';
import type { HistoryOptions } from '../engine/host/guest-history.js';
import { KvmError } from '../engine/host/kvm/errors.js';
import { KvmHypervisor } from '../engine/host/kvm-engine/kvm-hypervisor.js';
import { adviseBytes, adviseMemory } from '../engine/host/memory-advice.js';
import { type Arrival, IncomingError, receiveGuest } from '../engine/host/migration/incoming.js';
import { type MigrationUri, showUri } from '../engine/host/migration/uri.js';
import { type PortForward, UserSockets } from '../engine/host/net/user-sockets.js';
import { Recording } from '../engine/host/recording/recording.js';
import { serveDebugger } from '../engine/host/rpc.js';
import { Jit } from '../engine/jit/jit.js';
import { NO_HOST } from '../engine/net/host-network.js';
import { StateError } from '../engine/state/schema.js';
import { FORGETTING, InputLog } from '../engine/time/input-keeper.js';
import { Activity } from '../engine/vmm/activity.js';
import type { Hypervisor } from '../engine/vmm/hypervisor.js';
import { Machine } from '../engine/vmm/machine.js';
import { framesBehindRam } from '../engine/vmm/video-frames.js';
import { Vm } from '../engine/vmm/vm.js';
import { codeFile, symbolFile } from './code-file.js';
import { openDrives } from './drives.js';
import { readInput } from './files.js';
import { findVgaBios } from './firmware.js';
import { GdbServers } from './gdb-server.js';
import type { GuestWorkerData, WorkerHello, WorkerNotice } from './guest-options.js';
import { publishGuest } from './guest-socket.js';
import { readModules } from './initrd-option.js';
import { kernelForesight, linuxRelease } from './kernel-foresight.js';
import { UsageError } from './options.js';
import { openOutput, writeOutput } from './output-file.js';
import { describeRun, startRecorder } from './record.js';
import { TraceFile } from './trace-file.js';
import { VERSION } from './version.js';
import { VncServer } from './vnc-server.js';

const port = parentPort!;
const hello = (message: WorkerHello): void => port.postMessage(message);
const notice = (message: WorkerNotice): void => port.postMessage(message);

/** Builds the guest that the options describe. @throws ImageError, UsageError */
export function createGuest(
  data: GuestWorkerData,
  warn: (line: string) => void = () => {},
  sockets?: UserSockets,
): Guest {
  const { firmware } = data;
  const read = (path: string): Uint8Array => readInput(sourceOf(data, path), adviseBytes);
  const image = read(data.image);
  const kernelFile = firmware ? firmware.kernel : data.image;
  const kernel = firmware?.kernel === undefined ? image : read(firmware.kernel);
  const [initrd, ...modules] = data.initrd === undefined ? [] : readModules(data.initrd, read);
  const recording = data.replay === undefined ? undefined : Recording.open(data.replay);
  const begun = data.record && describeRun(data, data.record);
  begun?.warnings.forEach(warn);
  const drives = openDrives(data.drives ?? [], firmware ? 'ide' : 'virtio', data.incoming !== undefined);
  drives.warnings.forEach(warn);
  const history = historyOf(data, drives.drives, recording);
  const recorder = begun && startRecorder(begun, history?.log ?? FORGETTING);
  drives.writesFloppies = !history && !recorder;
  const inputs = recording ?? recorder ?? history?.log;
  const vm = createHypervisor(data, firmware ? image.length : 0);
  const machine = new Machine(vm, {
    name: data.name,
    image: { name: data.image, bytes: image },
    ...(data.append === undefined ? {} : { append: data.append }),
    ...(initrd ? { initrd } : {}),
    ...(modules.length > 0 ? { modules } : {}),
    ...(data.at === undefined ? {} : { at: data.at }),
    isaDebugExit: data.isaDebugExit,
    noReboot: data.noReboot,
    ...(data.rebootOnTripleFault ? { rebootOnTripleFault: true } : {}),
    wallSeconds: data.rtcSeconds,
    ...fontOf(data),
    drives: history?.drives ?? drives.drives,
    ...(inputs ? { inputs } : {}),
    ...(data.cards ? { cards: data.cards } : {}),
    ...(data.net && (sockets || recording)
      ? {
          network: {
            ...(data.net.model === undefined ? {} : { model: data.net.model }),
            mac: Uint8Array.from(data.net.mac),
            host: sockets ?? NO_HOST,
            forwards: data.net.forwards.length > 0,
            boot: { bootFile: data.net.bootFile, hostName: data.net.hostName },
            ...(firmware?.netRom === undefined ? {} : { rom: read(firmware.netRom) }),
          },
        }
      : {}),
    ...(data.debugcon === undefined
      ? data.debugPorts
        ? { debugOutput: () => {} }
        : {}
      : { debugOutput: debugOutput(data.debugcon) }),
    ...(firmware
      ? {
          firmware: {
            serialConsole: firmware.serialConsole,
            ...(firmware.bootOrder === undefined ? {} : { bootOrder: firmware.bootOrder }),
            ...(firmware.vgaBios === undefined ? {} : { vgaBios: read(firmware.vgaBios) }),
            ...(firmware.kernel === undefined ? {} : { kernel: { name: firmware.kernel, bytes: kernel } }),
          },
        }
      : {}),
  });
  if (sockets) sockets.onEvent = (bytes) => machine.networkEvent(bytes);
  drives.onFailure = (cause) => machine.onMessage(cause);
  const trace =
    data.traceFile === undefined
      ? undefined
      : new TraceFile(data.traceFile, vm.host, {
          program: `vmscope ${VERSION}`,
          guest: data.name,
          engine: data.engine,
          ...(vm.instructionNs === 1 ? {} : { instructionNs: vm.instructionNs }),
        });
  if (trace) machine.afterSlice = () => trace.drain(machine.work.resets);
  machine.passDrives = (give) => (give ? drives.letGo() : drives.take());
  machine.onClose = () => {
    sockets?.close();
    drives.close();
    trace?.flush();
  };
  // a guest that follows the host's clock runs another way each time, and KASLR picks another place
  const foreseeKernel = data.followsHost ? undefined : kernelForesight(data, image);
  const kernelRelease = kernelFile === undefined ? undefined : linuxRelease(kernel);
  const activity = data.activity ? new Activity(data.activity) : undefined;
  if (vm instanceof Vm) vm.activity = activity;
  const code = codeOf(data, kernelFile ?? data.image, kernel);
  const lack = data.aside ? undefined : code.lack?.();
  if (lack !== undefined) warn(lack);
  return new Guest(machine, {
    ...(activity ? { activity } : {}),
    ...(history ? { history } : {}),
    ...(recorder ? { recorder } : {}),
    ...(recording ? { recording } : {}),
    ...code,
    ...(foreseeKernel && !data.aside ? { foreseeKernel } : {}),
    ...(kernelRelease === undefined ? {} : { kernelRelease }),
    paced: data.paced,
    ...(data.followsHost ? { followsHost: true } : {}),
    waitForInput: data.waitForInput,
    ...(data.untilExits === undefined ? {} : { untilExits: data.untilExits }),
    ...(data.maxInstructions === undefined ? {} : { maxInstructions: data.maxInstructions }),
  });
}

/** The font of the video BIOS that is installed, for guests that have none load it. */
function fontOf(data: GuestWorkerData): { font?: Uint8Array } {
  const path = data.replay === undefined ? findVgaBios() : data.font && sourceOf(data, data.font);
  if (path === undefined) return {};
  try {
    const font = romFont(readInput(path));
    return font ? { font } : {};
  } catch {
    return {};
  }
}

/** Where a file is that the options name. */
const sourceOf = ({ sources }: GuestWorkerData, path: string): string =>
  sources !== undefined && Object.hasOwn(sources, path) ? sources[path] : path;

/** What keeps the run for going back, over these drives; undefined where nothing does. */
function historyOf(
  { engine, history: budgetBytes, aside }: GuestWorkerData,
  drives: readonly Drive[],
  recording: Recording | undefined,
): (HistoryOptions & { drives: Drive[]; log: InputLog | undefined }) | undefined {
  if (engine === 'kvm' || budgetBytes === undefined || aside) return undefined;
  const disks: RewindableStore[] = [];
  const rewindable = drives.map((drive) => {
    if (drive.store === undefined || drive.store.readOnly) return drive;
    const store = new RewindableStore(drive.store, recording !== undefined);
    disks.push(store);
    return { ...drive, store };
  });
  const common = { budgetBytes, disks, drives: rewindable };
  if (recording) {
    const recorded = { last: recording.last, end: recording.recordedEnd?.end };
    return { ...common, inputs: recording, log: undefined, recorded };
  }
  const log = new InputLog(budgetBytes * INPUTS_SHARE);
  return { ...common, inputs: log, log };
}

/** Of the history's memory, what inputs may take at most. */
const INPUTS_SHARE = 1 / 4;

/** What the file of --symbols tells of the guest's code; without one, the image, whose symbols the loader knows. */
function codeOf(data: GuestWorkerData, kernelFile: string, image: Uint8Array): CodeFile {
  const file = data.symbols;
  return file === undefined ? codeFile(kernelFile, image) : symbolFile(file, readInput(file));
}

/** @throws KvmError when the host cannot run it on engine kvm */
function createHypervisor(data: GuestWorkerData, romBytes: number): Hypervisor {
  const { cpu } = data;
  if (data.engine === 'kvm') {
    return KvmHypervisor.create({ ...data, irqchip: data.kernelIrqchip, romBytes, video: true });
  }
  const { core, host } = createCore(data.memoryBytes, framesBehindRam(romBytes), undefined, adviseMemory);
  const vm = new Vm(core, host, data.memoryBytes, data.vcpus, viewOfVm);
  vm.paravirtual = data.noParavirtual !== true;
  if (cpu) vm.cpu = cpu;
  if (data.clockShift) vm.clockShift = data.clockShift;
  const { jit = 'off' } = data;
  if (jit !== 'off') vm.jit = new Jit(core, host.memory, jit, () => performance.now());
  return vm;
}

/** Writes each byte at once: the console is for watching what goes wrong. */
function debugOutput(path: string): (byte: number) => void {
  const fd = openOutput('--debugcon', path === 'stdio' ? '/dev/stdout' : path);
  const one = new Uint8Array(1);
  return (byte) => {
    one[0] = byte;
    writeOutput('--debugcon', path, fd, one);
  };
}

/** Opens a forwarded port; port 0 takes a free one, which is told. @throws UsageError */
async function openForward(sockets: UserSockets | undefined, forward: PortForward, warnings: string[]): Promise<void> {
  const { address, port: wanted, guestPort } = forward;
  try {
    const opened = await sockets?.listen(forward);
    if (wanted === 0) warnings.push(`port ${opened} of ${address} leads to port ${guestPort} of the guest`);
  } catch (error) {
    throw new UsageError(`--net hostfwd: port ${wanted} of ${address}: ${fileCause(error)}`);
  }
}

/** Waits for the guest that another process sends. @throws IncomingError; UsageError when the place cannot be had */
async function arrive(guest: Guest, uri: MigrationUri): Promise<Arrival> {
  const { engine } = guest.machine.vm;
  if (!guest.snapshots) throw new UsageError(`--incoming ${showUri(uri)}: engine ${engine} takes no guest over`);
  const off = guest.onEvent((event) => {
    if (event.type === 'message') notice({ tell: event.text });
  });
  try {
    return await receiveGuest(guest.moving, uri, (at) => notice({ tell: `waiting for a guest on ${showUri(at)}` }));
  } catch (error) {
    if (error instanceof IncomingError) throw error;
    throw new UsageError(`--incoming ${showUri(uri)}: ${fileCause(error)}`);
  } finally {
    off();
  }
}

async function main(): Promise<void> {
  const [data] = (await once(port, 'message')) as [GuestWorkerData];
  try {
    const warnings: string[] = [];
    const sockets = data.net && data.replay === undefined ? new UserSockets() : undefined;
    if (data.net?.tftp !== undefined) sockets?.serveFiles(data.net.tftp);
    const guest = createGuest(data, (line) => warnings.push(line), sockets);
    const servers = new GdbServers(
      guest,
      (connected) => notice({ gdbClient: connected }),
      () => notice({ pipeClosed: true }),
    );
    guest.gdbServer = (argument) => servers.command(argument);
    if (data.restore !== undefined) {
      if (!guest.snapshots)
        throw new UsageError(`--restore ${data.restore}: engine ${data.engine} cannot go on from a state`);
      await guest.snapshots.load(sourceOf(data, data.restore));
    }
    const arrival = data.incoming && (await arrive(guest, data.incoming.uri));
    for (const forward of (sockets && data.net?.forwards) ?? []) await openForward(sockets, forward, warnings);
    const gdb = data.gdb && (await servers.open(data.gdb));
    guest.screenServer = data.vnc && (await VncServer.open(guest, data.vnc));
    const published = data.aside ? {} : await publishGuest(guest, data.name, data.image);
    if (published.warning !== undefined) warnings.push(published.warning);
    serveDebugger(guest, port);
    const stands = arrival?.ran === false;
    if (arrival && (stands || data.incoming?.wait)) arrival.started();
    else if (arrival) guest.moving.onceRunning(arrival.started);
    hello({
      ready: true,
      warnings,
      stands,
      ...(gdb === undefined ? {} : { gdb }),
      ...(published.path === undefined ? {} : { socket: published.path }),
    });
  } catch (error) {
    const expected =
      [ImageError, UsageError, PciBusFullError, StateError, HostMemoryError].some((kind) => error instanceof kind) ||
      (error instanceof KvmError && error.hostLacks);
    const { message, stack } = error as Error;
    if (error instanceof IncomingError) {
      hello({ ready: false, message: `--incoming: ${message}`, status: error.refused ? 2 : 1 });
      port.close();
      return;
    }
    hello({ ready: false, message, status: expected ? 2 : 3, ...(expected || !stack ? {} : { stack }) });
    port.close();
  }
}

void main();
