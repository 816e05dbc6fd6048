/** Loads the PDPTE registers from CR3 (PAE paging); false: a reserved bit is set (#GP(0)) or see accessStatus. */
export function loadPdptes(): bool { return false; }
