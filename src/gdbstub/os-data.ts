/** Tables of `info os`: GDB prints any type that the stub lists. @gdb "Operating System Information" */

import { messageOf } from './session.js';
import type { OsTable } from './target.js';
import { escapeXml } from './target-xml.js';

function itemXml(columns: Record<string, string>): string {
  const cells = Object.entries(columns).map(
    ([name, text]) => `  <column name="${escapeXml(name)}">${escapeXml(text)}</column>\n`,
  );
  return ` <item>\n${cells.join('')} </item>\n`;
}

function osXml(type: string, rows: Record<string, string>[]): string {
  return `<?xml version="1.0"?>
<!DOCTYPE target SYSTEM "osdata.dtd">
<osdata type="${escapeXml(type)}">
${rows.map(itemXml).join('')}</osdata>
`;
}

export function osTypesXml(tables: readonly OsTable[]): string {
  return osXml(
    'types',
    tables.map(({ name, description, title }) => ({ Type: name, Description: description, Title: title })),
  );
}

/** GDB shows no error's text here: why there are no rows is a row. */
export async function osDataXml(table: OsTable): Promise<string> {
  const rows = await table.rows().catch((error: unknown) => [{ 'not known': messageOf(error) }]);
  return osXml(table.name, rows);
}
