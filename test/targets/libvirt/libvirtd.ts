/** A private libvirtd with domains of the tiny guest. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildTiny } from '../guests/tiny.js';

const SCRIPT = fileURLToPath(new URL('libvirt-up.sh', import.meta.url));

export class Libvirtd {
  private constructor(
    readonly folder: string,
    private readonly process: ChildProcess,
    private readonly rom: string,
    /** Of the guest's loop. */
    readonly symbols: Map<string, bigint>,
  ) {}

  static async start(): Promise<Libvirtd> {
    const folder = mkdtempSync(join(tmpdir(), 'lv-'));
    const child = spawn(SCRIPT, [folder], { stdio: 'ignore' });
    const { rom, symbols } = buildTiny();
    const daemon = new Libvirtd(folder, child, rom, symbols);
    for (let n = 0; !existsSync(daemon.socket); n++) {
      if (n > 300 || child.exitCode !== null) throw new Error(`libvirtd did not start: ${daemon.log()}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return daemon;
  }

  get socket(): string {
    return join(this.folder, 'run/libvirt-sock');
  }

  /** For reading. */
  get uri(): string {
    return `qemu+unix:///system?socket=${this.socket}-ro`;
  }

  virsh(...args: string[]): string {
    const uri = `qemu+unix:///system?socket=${this.socket}`;
    return execFileSync('virsh', ['-c', uri, ...args], { encoding: 'utf8', timeout: 120_000 });
  }

  /** Starts a domain that counts its port writes and reads its disk. */
  create(name: string, type: 'qemu' | 'kvm'): void {
    const image = join(this.folder, `${name}.img`);
    writeFileSync(image, Buffer.alloc(1 << 20));
    this.createFrom(
      `<domain type='${type}'><name>${name}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
       <os><type arch='x86_64' machine='pc'>hvm</type><loader type='rom'>${this.rom}</loader></os>
       <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
       <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${image}'/><target dev='hda' bus='ide'/></disk>
       <serial type='pty'/><memballoon model='none'/></devices></domain>`,
    );
  }

  /** Starts the domain of a definition. */
  createFrom(definition: string): void {
    const xml = join(this.folder, 'definition.xml');
    writeFileSync(xml, definition);
    this.virsh('create', xml);
  }

  /** `virsh domstats` of a domain, by field. */
  stats(name: string): Map<string, string> {
    const text = this.virsh('domstats', name);
    return new Map([...text.matchAll(/^ {2}([\w.-]+)=(.*)$/gm)].map(([, field, value]) => [field!, value!]));
  }

  qemuPid(name: string): number {
    return Number(readFileSync(join(this.folder, `run/qemu/${name}.pid`), 'latin1'));
  }

  log(): string {
    const path = join(this.folder, 'libvirtd.log');
    return existsSync(path) ? readFileSync(path, 'utf8').slice(-2000) : 'no log';
  }

  async stop(): Promise<void> {
    for (const name of this.virsh('list', '--name').split('\n').filter(Boolean)) {
      try {
        process.kill(this.qemuPid(name), 'SIGCONT');
        this.virsh('destroy', name);
      } catch {
        // Ended by itself.
      }
    }
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    // unshare has become libvirtd.
    this.process.kill('SIGTERM');
    await ended;
  }
}
