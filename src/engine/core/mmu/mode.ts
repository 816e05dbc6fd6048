/** Recomputes MODE, CTX and the attention bits after CR0, CR4, EFER, CS, SS, CPL, RFLAGS.VM/TF/RF/AC or DR7 changed. */
export function updateMode(): void {}
