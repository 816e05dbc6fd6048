import { BlockError, type BlockStore } from '../engine/devices/block.js';

/**
 * Storage that tells the user why it fails, each cause once: the guest sees no more than an input/output error.
 * What the guest asks for wrongly, beyond the end or on a read-only disk, is the guest's affair.
 */
export class FailingStore implements BlockStore {
  readonly #told = new Set<string>();

  constructor(
    private readonly store: BlockStore,
    private readonly tell: (cause: string) => void,
  ) {}

  get sectors(): number {
    return this.store.sectors;
  }

  get readOnly(): boolean {
    return this.store.readOnly;
  }

  read(sector: number, into: Uint8Array): void {
    this.#watch(() => this.store.read(sector, into));
  }

  write(sector: number, bytes: Uint8Array): void {
    this.#watch(() => this.store.write(sector, bytes));
  }

  writeZeroes(sector: number, count: number): void {
    this.#watch(() => this.store.writeZeroes(sector, count));
  }

  flush(): void {
    this.#watch(() => this.store.flush());
  }

  #watch(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (error instanceof BlockError && error.kind !== 'range' && error.kind !== 'read-only') {
        if (!this.#told.has(error.message)) this.tell(error.message);
        this.#told.add(error.message);
      }
      throw error;
    }
  }
}
