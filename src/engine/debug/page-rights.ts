import type { PageWalk } from '../debugger.js';

/** `rw-`: what the guest's tables permit at an address; undefined where nothing is mapped or paging is off. */
export function pageRights({ output, levels }: PageWalk): string | undefined {
  if (output === undefined || levels.length === 0) return undefined;
  const every = (flag: string) => levels.every(({ flags }) => flags.includes(flag));
  const never = levels.some(({ flags }) => flags.includes('NX'));
  return `r${every('W') ? 'w' : '-'}${never ? '-' : 'x'}`;
}
