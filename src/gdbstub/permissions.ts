/** What a client may do to a guest. @gdb "General Query Packets", `QAllow` */

/** Tracepoints exist in the packet alone. */
export const PERMISSIONS = ['WriteReg', 'WriteMem', 'InsertBreak', 'InsertTrace', 'InsertFastTrace', 'Stop'] as const;
export type Permission = (typeof PERMISSIONS)[number];

const WHAT: Readonly<Record<Permission, string>> = {
  WriteReg: 'registers are not written (set may-write-registers on)',
  WriteMem: 'memory is not written (set may-write-memory on)',
  InsertBreak: 'no breakpoint is inserted (set may-insert-breakpoints on)',
  InsertTrace: 'no tracepoint is inserted (set may-insert-tracepoints on)',
  InsertFastTrace: 'no tracepoint is inserted (set may-insert-fast-tracepoints on)',
  Stop: 'the guest is not stopped (set may-interrupt on)',
};

export function allPermitted(): Record<Permission, boolean> {
  return Object.fromEntries(PERMISSIONS.map((name) => [name, true])) as Record<Permission, boolean>;
}

/** Why a client that has asked for less gets a refusal, and the way out. */
export const refusalOf = (permission: Permission): string => `this connection only looks on: ${WHAT[permission]}`;
