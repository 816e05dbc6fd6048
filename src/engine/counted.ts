/** `1 exit`, `2 exits`, `1,024 exits`. @param count a number, or how it is written */
export function counted(count: number | bigint | string, one: string, many = `${one}s`): string {
  return `${count} ${String(count) === '1' ? one : many}`;
}
