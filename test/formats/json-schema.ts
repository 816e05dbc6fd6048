/** What of a value a JSON Schema (draft 7) does not allow. Knows what published schemas of our readers use; another keyword is an error. */

interface Schema {
  readonly [keyword: string]: unknown;
}

/** Keywords that say nothing of a value. */
const NOTES = new Set(['$schema', 'definitions', 'title', 'description']);

const typeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value === 'object' ? 'object' : typeof value;

/** Places and what is wrong there, as `/profiles/0/unit: not in the list`. */
export function wrongBySchema(value: unknown, schema: Schema, root: Schema = schema, at = ''): string[] {
  return Object.entries(schema).flatMap(([keyword, says]): string[] => {
    const inside = (key: string | number, part: unknown, of: unknown) =>
      wrongBySchema(part, of as Schema, root, `${at}/${key}`);
    switch (keyword) {
      case '$ref': {
        const name = /^#\/definitions\/(.+)$/.exec(says as string)?.[1];
        const found = (root.definitions as Record<string, Schema> | undefined)?.[name ?? ''];
        if (!found) throw new Error(`the schema has no ${String(says)}`);
        return wrongBySchema(value, found, root, at);
      }
      case 'type':
        return typeOf(value) === says ? [] : [`${at}: ${typeOf(value)}, not ${String(says)}`];
      case 'const':
        return value === says ? [] : [`${at}: not ${JSON.stringify(says)}`];
      case 'enum':
        return (says as unknown[]).includes(value) ? [] : [`${at}: not in the list`];
      case 'required':
        return (says as string[]).filter((key) => !Object.hasOwn(Object(value), key)).map((key) => `${at}: no ${key}`);
      case 'properties':
        return Object.entries(says as Record<string, Schema>).flatMap(([key, of]) =>
          Object.hasOwn(Object(value), key) ? inside(key, (value as Record<string, unknown>)[key], of) : [],
        );
      case 'items':
        return Array.isArray(value) ? value.flatMap((item, index) => inside(index, item, says)) : [];
      case 'anyOf': {
        const tries = (says as Schema[]).map((one) => wrongBySchema(value, one, root, at));
        return tries.some((wrong) => wrong.length === 0) ? [] : tries.reduce((a, b) => (b.length < a.length ? b : a));
      }
      default:
        if (!NOTES.has(keyword)) throw new Error(`keyword ${keyword} of a schema is not known here`);
        return [];
    }
  });
}
