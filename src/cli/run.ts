import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { LINUX_HEADER_BYTES, needsRealMode } from '../engine/boot/kernel/linux.js';
import { DRIVE_BUSES } from '../engine/devices/block.js';
import type { KernelIrqchipMode } from '../engine/host/kvm-engine/kernel-irqchip.js';
import { type MigrationUri, parseUri } from '../engine/host/migration/uri.js';
import type { JitMode } from '../engine/jit/jit.js';
import { CARDS, type Card, NET_MODELS } from '../engine/vmm/cards.js';
import { CPU_MODELS, DEFAULT_CPU_MODEL } from '../engine/vmm/cpu-models.js';
import type { EngineName } from '../engine/vmm/hypervisor.js';
import { parseBootOrder } from './boot-order.js';
import { parseClock } from './clock-option.js';
import { checkDumpFile } from './crash-dump.js';
import { cdrom, type DriveArgument, floppy, mediumOf, parseDisk } from './drive-options.js';
import { chooseEngine } from './engine.js';
import { isShortSample, readHead, resolveImage } from './files.js';
import { type FirmwarePaths, findFirmware, findNetRom, howToInstall, isFirmwareInstalled } from './firmware.js';
import { GDB_PORT, type GdbAddress, parseGdbAddress, readGdbAddress } from './gdb-address.js';
import type { GuestWorkerData } from './guest-options.js';
import type { HeadlessOptions } from './headless.js';
import { launch } from './launch.js';
import { type NetArgument, parseNet } from './net-options.js';
import {
  parseCount,
  parseCpuModel,
  parseMemory,
  parseName,
  parseRtc,
  parseSerial,
  parseSize,
  parseTimeout,
  SCRIPTED_RTC,
  UsageError,
} from './options.js';
import { openOutput, streamOf, writeOutput } from './output-file.js';
import { addScriptOptions, runCommands, type ScriptOptions, scriptOf } from './script-options.js';
import { tell } from './tell.js';
import { BACKGROUND, hasTerminal, isInBackground } from './terminal.js';
import { noConfigOption, picturesOption, themeOption } from './theme-option.js';
import { parseTyped, readTyped, type TypedStep } from './typed-text.js';
import { parseVnc } from './vnc-options.js';

export interface RunOptions extends ScriptOptions {
  kernel?: string;
  initrd?: string;
  append?: string;
  memory: string;
  vcpus: string;
  cpu: string;
  name?: string;
  engine: string;
  at?: string;
  gdb?: string | true;
  s?: boolean;
  S?: boolean;
  wait?: boolean;
  headless?: boolean;
  serial?: string;
  trace?: string;
  untilExits?: string;
  maxInstructions?: string;
  timeout?: string;
  disk?: string[];
  cdrom?: string;
  floppy?: string[];
  bios?: string;
  boot?: string;
  rtc?: string;
  clock?: string;
  symbols?: string;
  net: string;
  device?: string[];
  vnc?: string;
  type?: string;
  typeFile?: string;
  debugcon?: string;
  sercon?: string;
  dumpOnCrash?: string;
  screendumpAtEnd?: string;
  isaDebugExit?: boolean;
  reboot: boolean;
  rebootOnTripleFault?: boolean;
  pv: boolean;
  kernelIrqchip?: string;
  jit: JitMode;
  stats?: string;
  restore?: string;
  incoming?: string;
  /** False: --no-history. */
  history?: string | boolean;
  record?: string;
  pack?: boolean;
}

const MAX = Number.MAX_SAFE_INTEGER;

export function addRunCommand(program: Command): void {
  const command = program
    .command('run')
    .summary('boot a guest')
    .description('Boot a guest: with the dashboard on a terminal, otherwise headless with COM1 on standard output.');
  addScriptOptions(addGuestOptions(command)).action(async (image: string | undefined, options: RunOptions) => {
    process.exitCode = await runGuest(image, options);
  });
}

/** What says which machine runs what, and until when. */
export function addGuestOptions(command: Command): Command {
  return command
    .argument(
      '[image]',
      'ELF (multiboot 1 or 2, PVH, plain), bzImage, flat binary, disk or CD image, or the name of a sample',
    )
    .optionsGroup('What it boots:')
    .option('--kernel <file>', 'kernel image, as IMAGE')
    .option('--initrd <file>', "initial RAM disk, or modules of a multiboot kernel: 'FILE ARGS,FILE ARGS'")
    .option('--append <string>', 'kernel command line')
    .option('--at <address>', 'load address and entry of a flat binary')
    .option(
      '--disk <file>',
      `disk: FILE[,format=raw|qcow2][,if=${DRIVE_BUSES.join('|')}][,media=cdrom][,readonly][,snapshot=on][,serial=TEXT]; repeatable`,
      also,
    )
    .option('--cdrom <file>', 'CD-ROM image')
    .option('--floppy <file>', 'floppy disk image, 160K to 2.88M; twice for drives A and B', also)
    .option('--bios <file>', 'boot by this BIOS, a kernel too (SeaBIOS for disks, and for kernels that call a BIOS)')
    .option(
      '--boot <order>',
      'what a BIOS tries first: letters of a (floppy), c (disk), d (CD-ROM), n (network); the rest follows',
    )
    .option('--restore <file>', 'go on from a state that `vmscope save` or `:save` wrote, all other options as then')
    .option(
      '--incoming <uri>',
      "wait on tcp:HOST:PORT or unix:PATH for a guest that another vmscope's monitor sends by `migrate URI`, all other options as there",
    )
    .optionsGroup('The machine:')
    .option('-m, --memory <size>', 'guest RAM: MiB, or with K, M, G', '128M')
    .option('--vcpus <n>', 'virtual CPUs', '1')
    .option(
      '--cpu <model>',
      `${CPU_MODELS.join(', ')} (all that the engine has, on engine kvm as far as the host has it; host means the same)[,vendor=MAKER][,+FEATURE][,-FEATURE]`,
      DEFAULT_CPU_MODEL,
    )
    .addOption(new Option('--engine <engine>', 'engine').choices(['vtx', 'kvm', 'auto']).default('vtx'))
    .addOption(
      new Option(
        '--kernel-irqchip <mode>',
        "interrupt controllers in the host's kernel (engine kvm; default off)",
      ).choices(['on', 'split', 'off']),
    )
    .option(
      '--net <network>',
      `none, or user[,model=${NET_MODELS.join('|')}][,tftp=FOLDER][,bootfile=FILE][,hostname=NAME][,hostfwd=tcp:[ADDRESS]:PORT-:PORT][,mac=ADDRESS]`,
      'none',
    )
    .option('--device <name>', `further device: ${CARDS.join(', ')}; repeatable`, also)
    .option('--rtc <base>', 'clock at power-on: utc, or a date such as 2026-01-31T12:00:00 (default: interactive utc)')
    .option(
      '--clock <clock>',
      "icount[,shift=N]: an instruction takes 2^N ns, and a run repeats; wall: time follows the host's clock (engine kvm: always)",
    )
    .addOption(
      new Option('--jit <mode>', 'compile hot guest code')
        .choices(['off', 'on', 'always'])
        .env('VMSCOPE_JIT')
        .default('on'),
    )
    .option('--no-pv', "hide KVM's paravirtual interface from the guest")
    .option('--isa-debug-exit', "QEMU's device at port 0xf4: exit status (value << 1) | 1")
    .option('--no-reboot', 'a reset of the guest ends it')
    .option('--reboot-on-triple-fault', 'a triple fault resets the guest, as hardware does (default: it ends it)')
    .option('--name <name>', 'name of the guest')
    .optionsGroup('Consoles and screen:')
    .option('--headless', 'no dashboard')
    .option('--serial <target>', 'COM1: stdio, none, file:F, unix:PATH')
    .addOption(
      new Option(
        '--sercon <mode>',
        'SeaBIOS shows the screen on COM1 too (default: on where that is a terminal)',
      ).choices(['on', 'off']),
    )
    .option('--debugcon <file>', 'what the guest writes to ports 0xe9 and 0x402: a file, or stdio')
    .option('--type <text>', 'type on the keyboard: \\n, \\{KEYS}, \\{wait TEXT} until the guest shows it')
    .option('--type-file <file>', 'the same, from a file')
    .option(
      '--vnc <display>',
      'serve the screen to VNC clients: [HOST:]N or unix:PATH, then [,password=on][,password-file=FILE]',
    )
    .addOption(themeOption())
    .addOption(picturesOption())
    .addOption(noConfigOption())
    .optionsGroup('Debugging:')
    .option(
      '--gdb [address]',
      'GDB stub: [HOST:]PORT (default 1234, loopback), unix:PATH, or stdio for `target remote |`',
    )
    .option('-s', 'as --gdb 1234')
    .option('--wait', 'start stopped')
    .option('-S', 'as --wait')
    .option('--symbols <file>', 'symbols, types and lines of the guest: ELF (vmlinux), or System.map')
    .option('--trace <file>', 'record the VM exits')
    .option('--dump-on-crash <file>', 'memory as an ELF core when the guest ends in a triple fault or Linux panics')
    .option(
      '--history <size>',
      'memory for going back in the run (default: 256M with the dashboard or --gdb, else none)',
    )
    .option('--no-history', 'keep nothing to go back to')
    .option('--record <file>', 'record the run, for `vmscope replay`')
    .option('--pack', 'with --record: keep a copy of all images in the recording')
    .optionsGroup('When it ends, and what is left of it:')
    .option('--until-exits <n>', 'stop after N VM exits')
    .option('--max-instructions <n>', 'stop after N instructions')
    .option('--timeout <seconds>', 'stop after this wall-clock time')
    .option('--stats <format>', 'at the end: counts as json to standard error, or json:FILE', statsOf)
    .option(
      '--screendump-at-end <file>',
      'the screen as a picture when the run ends: PNG, or PPM where the name ends so',
    );
}

/** A path that is empty is a mistake of the script that gives it. */
const PATHS = ['kernel', 'initrd', 'cdrom', 'bios', 'symbols', 'debugcon', 'trace', 'restore', 'record'] as const;

/**
 * The `run` verb. Answers the process status.
 * @param drive runs the guest of a headless run, instead of just letting it go
 * @throws UsageError, StartError
 */
export async function runGuest(
  image: string | undefined,
  options: RunOptions,
  drive?: HeadlessOptions['drive'],
): Promise<number> {
  if (image === '') throw new UsageError('run: IMAGE is empty');
  const { gdb, rest } = gdbOf(image, options);
  image = rest;
  for (const option of PATHS) if (options[option] === '') throw new UsageError(`--${option}: no file is named`);
  const net = parseNet(options.net);
  const { file, drives, firmware } = bootOf(image, options, net);
  if (options.dumpOnCrash !== undefined) checkDumpFile('--dump-on-crash', options.dumpOnCrash);
  if (options.screendumpAtEnd !== undefined) checkDumpFile('--screendump-at-end', options.screendumpAtEnd);
  const piped = gdb?.kind === 'stdio';
  const script = scriptOf(options);
  if (script && piped) throw new UsageError('--gdb stdio: gdb has standard output, which --ex and --exec write to');
  const interactive = !options.headless && !piped && hasTerminal();
  if (interactive && isInBackground()) throw new UsageError(`run: ${BACKGROUND}`);
  const serial = parseSerial(options.serial ?? (interactive || piped || script ? 'none' : 'stdio'));
  if (piped && serial.kind === 'stdio')
    throw new UsageError('--gdb stdio: --serial stdio is taken; try file:F or unix:PATH');
  if (interactive && options.dumpOnCrash !== undefined)
    throw new UsageError(
      '--dump-on-crash: the dashboard stops there, and :dump-guest-memory FILE writes it; or --headless',
    );
  if (interactive && serial.kind === 'stdio')
    throw new UsageError('--serial stdio: the dashboard has the terminal; --headless gives it to the guest');
  const serialIsTerminal = serial.kind === 'stdio' && process.stdout.isTTY === true;
  if ((interactive || piped) && streamOf(options.debugcon === 'stdio' ? '/dev/stdout' : (options.debugcon ?? ''))) {
    const owner = piped ? 'gdb has standard output' : 'the dashboard has the terminal';
    throw new UsageError(`--debugcon ${options.debugcon}: ${owner}; name a file`);
  }
  if (options.sercon !== undefined && firmware === undefined)
    throw new UsageError(`--sercon ${options.sercon}: a guest without a BIOS has no copy of the screen on COM1`);
  const input = !interactive && options.serial === 'stdio';
  if (options.rebootOnTripleFault && !options.reboot)
    throw new UsageError('--reboot-on-triple-fault: --no-reboot says that a reset ends the guest; give one of them');
  const vnc = options.vnc === undefined ? undefined : parseVnc(options.vnc);
  const typed = typedOf(options);
  /** Somebody sits before it. */
  const watched = interactive || input || vnc !== undefined || typed !== undefined;
  const { engine, line } =
    options.engine === 'auto'
      ? chooseEngine((await import('../engine/host/kvm/probe.js')).probeKvm())
      : { engine: options.engine as EngineName, line: undefined };
  if (engine === 'kvm' && options.maxInstructions !== undefined) {
    throw new UsageError(
      `--max-instructions ${options.maxInstructions}: KVM does not count instructions; --engine vtx does`,
    );
  }
  if (engine !== 'kvm' && (options.kernelIrqchip ?? 'off') !== 'off') {
    throw new UsageError(
      `--kernel-irqchip ${options.kernelIrqchip}: the interrupt controllers of engine ${engine} are vmscope's own; --engine kvm takes it`,
    );
  }
  if (line !== undefined) tell(line);
  // nobody would see it run
  const tooShort = interactive && typed === undefined && file !== undefined && isShortSample(file);
  const wait = options.wait === true || options.S === true || tooShort;
  const incoming = options.incoming === undefined ? undefined : parseIncoming(options.incoming);
  if (incoming !== undefined && options.restore !== undefined)
    throw new UsageError('--incoming and --restore both say where the guest comes from; give one of them');
  const record = recordOf(options, engine);
  const history = historyOf(options.history, interactive || gdb !== undefined || script !== undefined, engine);
  const data: GuestWorkerData = {
    engine,
    name:
      options.name === undefined
        ? basename(firmware ? (firmware.kernel ?? drives[0]?.path ?? net?.bootFile ?? file) : file).replace(
            /\.(elf|bin|img)$/,
            '',
          )
        : parseName(options.name),
    image: file,
    memoryBytes: parseMemory(options.memory),
    vcpus: parseCount('--vcpus', options.vcpus, 1, 16),
    cpu: parseCpuModel(options.cpu),
    ...(options.append === undefined ? {} : { append: options.append }),
    ...(options.initrd === undefined ? {} : { initrd: options.initrd }),
    ...(options.at === undefined ? {} : { at: parseCount('--at', options.at, 0, 0xffffffff) }),
    ...(drives.length === 0 ? {} : { drives }),
    ...(firmware
      ? {
          firmware: {
            serialConsole: options.sercon === undefined ? serialIsTerminal : options.sercon === 'on',
            ...(firmware.vgaBios === undefined ? {} : { vgaBios: firmware.vgaBios }),
            ...(firmware.netRom === undefined ? {} : { netRom: firmware.netRom }),
            ...(firmware.bootOrder === undefined ? {} : { bootOrder: firmware.bootOrder }),
            ...(firmware.kernel === undefined ? {} : { kernel: firmware.kernel }),
          },
        }
      : {}),
    ...(net === undefined ? {} : { net }),
    ...(options.device === undefined ? {} : { cards: options.device.map(cardOf) }),
    ...(options.debugcon === undefined ? {} : { debugcon: options.debugcon }),
    rtcSeconds: parseRtc(options.rtc ?? (interactive || input || vnc !== undefined ? 'utc' : SCRIPTED_RTC)),
    isaDebugExit: options.isaDebugExit === true,
    noReboot: !options.reboot,
    jit: options.jit,
    ...(options.rebootOnTripleFault ? { rebootOnTripleFault: true } : {}),
    ...(options.pv ? {} : { noParavirtual: true }),
    paced: watched,
    ...parseClock(options.clock, engine),
    waitForInput: watched || gdb !== undefined,
    ...(options.untilExits === undefined
      ? {}
      : { untilExits: parseCount('--until-exits', options.untilExits, 1, MAX) }),
    ...(options.maxInstructions === undefined
      ? {}
      : { maxInstructions: parseCount('--max-instructions', options.maxInstructions, 1, MAX) }),
    ...(options.symbols === undefined ? {} : { symbols: options.symbols }),
    ...(options.trace === undefined ? {} : { traceFile: options.trace }),
    ...(options.restore === undefined ? {} : { restore: options.restore }),
    ...(incoming === undefined ? {} : { incoming: { uri: incoming, wait } }),
    ...(options.kernelIrqchip === undefined ? {} : { kernelIrqchip: options.kernelIrqchip as KernelIrqchipMode }),
    ...(gdb === undefined ? {} : { gdb }),
    ...(vnc === undefined ? {} : { vnc }),
    ...(history === undefined ? {} : { history }),
    ...(record === undefined ? {} : { record }),
  };
  return launch(data, {
    ...{ interactive, serial, wait: wait || script !== undefined, input },
    ...(options.timeout === undefined ? {} : { timeoutSeconds: parseTimeout(options.timeout) }),
    ...(options.stats === undefined ? {} : { statistics: openStatistics(options.stats) }),
    ...(drive === undefined ? {} : { drive }),
    ...(script === undefined
      ? {}
      : { commands: script, script: (target) => runCommands(target, script, options.json === true) }),
    ...(options.dumpOnCrash === undefined ? {} : { dumpOnCrash: options.dumpOnCrash }),
    ...(typed === undefined ? {} : { typed }),
    ...(options.screendumpAtEnd === undefined ? {} : { screendumpAtEnd: options.screendumpAtEnd }),
  });
}

/** @throws UsageError */
function typedOf({ type, typeFile }: RunOptions): TypedStep[] | undefined {
  if (type !== undefined && typeFile !== undefined) throw new UsageError('--type and --type-file: give one of them');
  if (typeFile !== undefined) return readTyped(typeFile);
  return type === undefined ? undefined : parseTyped('--type', type);
}

export const HISTORY_BYTES = 256 * 2 ** 20;

/** Bytes for going back; undefined: nothing is kept. @throws UsageError */
function historyOf(option: string | boolean | undefined, observed: boolean, engine: EngineName): number | undefined {
  if (option === false) return undefined;
  if (typeof option !== 'string') return observed && engine !== 'kvm' ? HISTORY_BYTES : undefined;
  if (engine === 'kvm')
    throw new UsageError(`--history ${option}: KVM does not run a guest the same way twice; --engine vtx does`);
  return parseSize('--history', option);
}

/** @throws UsageError */
function recordOf({ record, pack, incoming }: RunOptions, engine: EngineName): GuestWorkerData['record'] {
  if (record === undefined) {
    if (pack) throw new UsageError('--pack: says what --record FILE keeps; give both');
    return undefined;
  }
  if (engine === 'kvm')
    throw new UsageError(`--record ${record}: KVM does not run a guest the same way twice; --engine vtx does`);
  if (incoming !== undefined)
    throw new UsageError('--record and --incoming: what the guest did elsewhere cannot be recorded here');
  return { path: record, pack: pack === true };
}

/** Where GDB is served, and the image: `--gdb IMAGE` has taken it for an address. @throws UsageError */
function gdbOf(image: string | undefined, options: RunOptions): { gdb?: GdbAddress; rest: string | undefined } {
  const { gdb, s } = options;
  if (gdb === undefined && s !== true) return { rest: image };
  const usual: GdbAddress = { kind: 'tcp', host: '127.0.0.1', port: GDB_PORT };
  if (gdb === undefined || gdb === true) return { gdb: usual, rest: image };
  const alone = image === undefined && options.kernel === undefined && readGdbAddress(gdb) === undefined;
  if (alone && existsSync(gdb)) return { gdb: usual, rest: gdb };
  return { gdb: parseGdbAddress('--gdb', gdb), rest: image };
}

/** @throws UsageError */
function parseIncoming(text: string): MigrationUri {
  try {
    return parseUri(text);
  } catch (error) {
    throw new UsageError(`--incoming ${text}: ${(error as Error).message}`);
  }
}

/** @throws UsageError */
function cardOf(name: string): Card {
  const card = CARDS.find((known) => known === name);
  if (card === undefined) throw new UsageError(`--device ${name}: not one of ${CARDS.join(', ')}`);
  return card;
}

/** Collects a repeated option. */
function also(value: string, before: string[] = []): string[] {
  return [...before, value];
}

interface Boot {
  /** What is loaded: the image, or the BIOS. */
  file: string;
  drives: DriveArgument[];
  firmware?: FirmwarePaths & { netRom?: string; bootOrder?: string; kernel?: string };
}

function driveOf(medium: 'disk' | 'cdrom' | 'floppy', file: string): DriveArgument {
  if (medium === 'cdrom') return cdrom(file);
  return medium === 'floppy' ? floppy(file) : { path: file, kind: 'disk', readonly: false, snapshot: false };
}

/**
 * A kernel is loaded into memory, unless a BIOS is asked for or needed; disks without one, and images of disks, are booted by a
 * BIOS. @throws UsageError
 */
function bootOf(image: string | undefined, options: RunOptions, net: NetArgument | undefined): Boot {
  const { kernel, bios, boot } = options;
  const bootOrder = boot === undefined ? undefined : parseBootOrder(boot);
  if (image !== undefined && kernel !== undefined) throw new UsageError('give IMAGE or --kernel, not both');
  const drives = (options.disk ?? []).map(parseDisk);
  if (options.cdrom !== undefined) drives.push(cdrom(options.cdrom));
  drives.push(...(options.floppy ?? []).map(floppy));
  const given = image ?? kernel;
  const file = given === undefined ? undefined : resolveImage(given);
  // a sample's folder is for the machine without a BIOS
  const loaded = file === undefined || kernel !== undefined || options.at !== undefined || file !== given;
  const medium = loaded ? undefined : mediumOf(file);
  if (file !== undefined && medium === 'floppy' && bios === undefined && !isFirmwareInstalled()) {
    const how = howToInstall('SeaBIOS');
    tell(`${file}: SeaBIOS is not installed: loaded at 7C00h, where INT 10h, 13h and 16h do nothing; ${how}`);
    return { file, drives };
  }
  if (file !== undefined && medium !== undefined) {
    drives.unshift(driveOf(medium, file));
  } else if (file !== undefined) {
    if (bios !== undefined || callsBios(file, options.append))
      return { drives, ...underBios(file, options, bootOrder, net) };
    if (boot !== undefined) throw new UsageError(`--boot ${boot}: ${file} is loaded without a BIOS`);
    return { file, drives };
  }
  const fromNetwork = bootOrder?.includes('n') || net?.bootFile !== undefined;
  if (drives.length === 0 && bios === undefined && !fromNetwork) throw new UsageError('run: no image given');
  if (bootOrder?.includes('n') && net === undefined)
    throw new UsageError(`--boot ${boot}: there is no network card; --net user gives it one`);
  for (const [option, value] of [
    ['--initrd', options.initrd],
    ['--append', options.append],
  ]) {
    if (value !== undefined) throw new UsageError(`${option} ${value}: a guest that boots from a disk takes none`);
  }
  const firmware = firmwareFor(bios, 'booting from a disk needs a BIOS');
  const netRom = net && findNetRom(net.model);
  // UEFI may bring a driver of its own
  if (fromNetwork && net && netRom === undefined && bios === undefined)
    throw new UsageError(
      `booting from the network needs iPXE's ROM for ${net.model ?? 'virtio'}, which is not installed: ${howToInstall('iPXE')}`,
    );
  return {
    ...{ file: firmware.bios, drives },
    firmware: {
      ...firmware,
      ...(netRom === undefined ? {} : { netRom }),
      ...(bootOrder === undefined ? {} : { bootOrder }),
    },
  };
}

/** The BIOS of --bios, or SeaBIOS; what it lacks is told. @throws UsageError */
function firmwareFor(bios: string | undefined, why: string): FirmwarePaths {
  const firmware = findFirmware(bios, why);
  if (bios === undefined && firmware.vgaBios === undefined)
    tell(`SeaBIOS has no video BIOS: the screen stays empty (${howToInstall('its video BIOS')})`);
  return firmware;
}

/** A kernel that a BIOS starts, before it looks at disks. @throws UsageError */
function underBios(
  kernel: string,
  { bios, at }: RunOptions,
  bootOrder: string | undefined,
  net: NetArgument | undefined,
): Pick<Boot, 'file' | 'firmware'> {
  if (at !== undefined) throw new UsageError(`--at ${at}: a BIOS starts kernels, which name their own addresses`);
  const firmware = firmwareFor(bios, `${kernel}: it calls the BIOS`);
  const netRom = net && findNetRom(net.model);
  return {
    file: firmware.bios,
    firmware: {
      ...{ ...firmware, kernel },
      ...(netRom === undefined ? {} : { netRom }),
      ...(bootOrder === undefined ? {} : { bootOrder }),
    },
  };
}

/** It begins in real mode. @throws UsageError when it cannot be read */
function callsBios(file: string, commandLine: string | undefined): boolean {
  return needsRealMode(readHead(file, LINUX_HEADER_BYTES), commandLine);
}

/** @throws UsageError */
function statsOf(text: string): string {
  if (text === 'json' || /^json:./s.test(text)) return text;
  throw new UsageError(`--stats ${text}: use json, or json:FILE`);
}

/** Where the counts go: a file is opened before the guest runs, since it may not be there to write to. @throws UsageError */
function openStatistics(format: string): (text: string) => void {
  const file = format.slice('json:'.length);
  if (file === '') return (text) => void process.stderr.write(text);
  const fd = openOutput('--stats', file);
  return (text) => writeOutput('--stats', file, fd, Buffer.from(text));
}
