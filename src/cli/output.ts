import { writeSync } from 'node:fs';
import { fileCause } from '../engine/host/file-cause.js';
import { nap } from './output-file.js';

/** Bytes to a file descriptor, in order, without loss; a failure is kept for the end of the run. */
export class Output {
  /** Why writing failed, once it did: a full disk, a closed pipe. */
  failure: NodeJS.ErrnoException | undefined;

  constructor(
    readonly fd: number,
    readonly name: string,
    readonly onFailure: () => void,
  ) {}

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.failure; ) {
      try {
        at += writeSync(this.fd, bytes, at);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN') {
          nap();
          continue;
        }
        this.failure = error as NodeJS.ErrnoException;
        this.onFailure();
      }
    }
  }

  /** One line about the failure. */
  message(): string | undefined {
    if (!this.failure) return undefined;
    return `${this.name}: ${fileCause(this.failure)}`;
  }
}
