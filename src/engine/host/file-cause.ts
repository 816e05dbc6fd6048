/** What a failed operation on a file, a socket or a network address says to a user. */

const CAUSES: Record<string, string> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  EISDIR: 'is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ELOOP: 'too many symbolic links',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'the name is too long',
  ENOSPC: 'no space left on the device',
  EIO: 'input/output error of the host',
  EPIPE: 'the reader has gone',
  ECONNREFUSED: 'nobody listens there',
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'no address of this host',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the host cannot be looked up now',
};

/** The cause without Node's wrapping. */
export function fileCause(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code && CAUSES[code]) ?? message;
}

/** The same for a file that was to be made: what is not there is its folder. */
export function outputCause(error: unknown): string {
  return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such folder' : fileCause(error);
}

/** Status of a run that ended because nobody reads what it writes any more: as a shell tells of a program that SIGPIPE ended. */
export const READER_GONE = 141;

/** Whether an operation failed for want of a reader. */
export const isReaderGone = (error: unknown): boolean => (error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE';
