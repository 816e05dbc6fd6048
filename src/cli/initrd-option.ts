/**
 * `--initrd`: a file, or modules as QEMU takes them: FILE[ ARGS],FILE[ ARGS]..., where two commas stand for one. What is behind
 * the name's blank goes to the kernel as it is.
 */
import { existsSync } from 'node:fs';
import type { Module } from '../engine/boot/image.js';
import { readInput } from './files.js';
import { UsageError } from './options.js';

/** A text without commas and blanks is a file, and so is one that is the name of a file as it stands. */
export function parseModules(text: string): { file: string; args?: string }[] {
  if (existsSync(text)) return [{ file: text }];
  return text
    .replaceAll(',,', '\0')
    .split(',')
    .map((part) => {
      const [, file, args] = /^(\S*)(?:\s(.*))?$/s.exec(part.replaceAll('\0', ',').trimStart())!;
      if (file === '') throw new UsageError(`--initrd ${text}: a module has no file; ,, stands for a comma in a name`);
      return { file, ...(args === undefined ? {} : { args }) };
    });
}

/** @throws UsageError naming the file and the cause */
export function readModules(text: string, read = readInput): Module[] {
  return parseModules(text).map(({ file, args }) => ({
    name: file,
    bytes: read(file),
    ...(args === undefined ? {} : { args }),
  }));
}
