import { closeSync, fdatasyncSync, openSync } from 'node:fs';
import { fileCause } from '../engine/host/file-cause.js';
import type { DriveArgument } from './drive-options.js';

/** Brings what the guest has written to its disks onto the host's, in the place of an engine that hangs; one line on how that went. */
export function flushDrives(drives: readonly DriveArgument[]): string | undefined {
  const written = drives.filter(({ readonly, snapshot }) => !readonly && !snapshot);
  if (written.length === 0) return undefined;
  const failed: string[] = [];
  for (const { path } of written) {
    try {
      const fd = openSync(path, 'r');
      fdatasyncSync(fd);
      closeSync(fd);
    } catch (error) {
      failed.push(`${path}: ${fileCause(error)}`);
    }
  }
  return failed.length > 0 ? `not flushed: ${failed.join(', ')}` : 'its disks are flushed';
}
