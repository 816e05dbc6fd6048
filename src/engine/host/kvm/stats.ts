// KVM's binary statistics (KVM_GET_STATS_FD): counters with names, read in one go.
import { readFully } from '../read-fully.js';
import type { KvmHandle } from './kvm.js';
import { libc } from './libc.js';
import { KVM_STATS_DESC, KVM_STATS_HEADER, KvmStruct } from './structs.js';

export interface StatDescriptor {
  name: string;
  /** Number of u64 values: 1, or the buckets of a histogram. */
  size: number;
  /** Bytes from the start of the data block. */
  offset: number;
  kind: 'cumulative' | 'instant' | 'peak' | 'linear-histogram' | 'log-histogram';
  unit: 'none' | 'bytes' | 'seconds' | 'cycles' | 'boolean';
  /** The value counts units of base^exponent. */
  exponent: number;
}

const KINDS = ['cumulative', 'instant', 'peak', 'linear-histogram', 'log-histogram'] as const;
const UNITS = ['none', 'bytes', 'seconds', 'cycles', 'boolean'] as const;

export class KvmStats {
  private constructor(
    private readonly fd: number,
    private readonly dataOffset: number,
    readonly descriptors: readonly StatDescriptor[],
  ) {}

  static open(handle: KvmHandle): KvmStats {
    return KvmStats.of(handle.value('KVM_GET_STATS_FD'));
  }

  /** Of a statistics file that is open already; close() closes it. */
  static of(fd: number): KvmStats {
    const header = new KvmStruct(KVM_STATS_HEADER, readAt(fd, 0, KVM_STATS_HEADER.size));
    const nameSize = header.get('name_size');
    const stride = KVM_STATS_DESC.size + nameSize;
    const table = readAt(fd, header.get('desc_offset'), stride * header.get('num_desc'));
    const descriptors: StatDescriptor[] = [];
    for (let at = 0; at < table.length; at += stride) {
      const row = new KvmStruct(KVM_STATS_DESC, table.subarray(at, at + KVM_STATS_DESC.size));
      const name = Buffer.from(table.subarray(at + KVM_STATS_DESC.size, at + stride));
      const end = name.indexOf(0);
      const flags = row.get('flags');
      descriptors.push({
        name: name.toString('latin1', 0, end < 0 ? name.length : end),
        size: row.get('size'),
        offset: row.get('offset'),
        kind: KINDS[flags & 15] ?? 'instant',
        unit: UNITS[(flags >> 4) & 15] ?? 'none',
        exponent: row.get('exponent'),
      });
    }
    return new KvmStats(fd, header.get('data_offset'), descriptors);
  }

  /** All single-valued counters by name. */
  read(): Map<string, bigint> {
    const last = this.descriptors.reduce((end, d) => Math.max(end, d.offset + d.size * 8), 0);
    const data = readAt(this.fd, this.dataOffset, last);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    return new Map(
      this.descriptors.filter((d) => d.size === 1).map((d) => [d.name, view.getBigUint64(d.offset, true)]),
    );
  }

  close(): void {
    libc().close(this.fd);
  }
}

function readAt(fd: number, position: number, bytes: number): Uint8Array {
  const buffer = new Uint8Array(bytes);
  readFully(fd, buffer, position);
  return buffer;
}
