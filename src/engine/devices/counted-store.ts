import type { BlockStore } from './block.js';

/** What was done to a drive's storage since the program's start, also where a run was repeated. */
export interface StoreTraffic {
  readRequests: number;
  readBytes: number;
  writeRequests: number;
  writeBytes: number;
  flushRequests: number;
}

/** Storage that counts what is done to it; what fails is not counted. */
export class CountedStore implements BlockStore {
  readonly traffic: StoreTraffic = { readRequests: 0, readBytes: 0, writeRequests: 0, writeBytes: 0, flushRequests: 0 };

  constructor(private readonly store: BlockStore) {}

  get sectors(): number {
    return this.store.sectors;
  }

  get readOnly(): boolean {
    return this.store.readOnly;
  }

  read(sector: number, into: Uint8Array): void {
    this.store.read(sector, into);
    this.traffic.readRequests++;
    this.traffic.readBytes += into.length;
  }

  write(sector: number, bytes: Uint8Array): void {
    this.store.write(sector, bytes);
    this.traffic.writeRequests++;
    this.traffic.writeBytes += bytes.length;
  }

  writeZeroes(sector: number, count: number): void {
    this.store.writeZeroes(sector, count);
    this.traffic.writeRequests++;
  }

  flush(): void {
    this.store.flush();
    this.traffic.flushRequests++;
  }
}
