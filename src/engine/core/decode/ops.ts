export const OP_ENTER = 0;
export const OP_NEXT = 1;
