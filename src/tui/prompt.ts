/** A line of text being typed: cursor, history, and what it is for. */

const MAX_HISTORY = 1000;

export class Prompt {
  text = '';
  cursor = 0;
  private readonly history: string[] = [];
  private recalled: number | undefined;

  /** Found by ctrl-R: what was searched for, and where. */
  private searched: { text: string; at: number } | undefined;

  /** @param before lines of earlier sessions, oldest first */
  constructor(
    readonly mark: string,
    before: readonly string[] = [],
  ) {
    this.history.push(...before.slice(-MAX_HISTORY));
  }

  open(text: string): void {
    this.text = text;
    this.cursor = text.length;
    this.recalled = undefined;
  }

  insert(text: string): void {
    const line = text.replace(/[\r\n\t]+/g, ' ');
    this.text = this.text.slice(0, this.cursor) + line + this.text.slice(this.cursor);
    this.cursor += line.length;
  }

  /** Ends the line and keeps it. */
  accept(): string {
    const text = this.text.trim();
    if (text && this.history.at(-1) !== text) this.history.push(text);
    if (this.history.length > MAX_HISTORY) this.history.shift();
    return text;
  }

  /** @returns whether the key edited the line. */
  key(name: string): boolean {
    if (name === 'C-r') return this.search();
    this.searched = undefined;
    switch (name) {
      case 'left':
        this.cursor = Math.max(0, this.cursor - 1);
        return true;
      case 'right':
        this.cursor = Math.min(this.text.length, this.cursor + 1);
        return true;
      case 'home':
      case 'C-a':
        this.cursor = 0;
        return true;
      case 'end':
      case 'C-e':
        this.cursor = this.text.length;
        return true;
      case 'backspace':
        this.remove(this.cursor - 1);
        return true;
      case 'delete':
      case 'C-d':
        this.remove(this.cursor);
        return true;
      case 'C-u':
        this.text = this.text.slice(this.cursor);
        this.cursor = 0;
        return true;
      case 'C-w': {
        const kept = this.text.slice(0, this.cursor).replace(/\S+\s*$/, '');
        this.text = kept + this.text.slice(this.cursor);
        this.cursor = kept.length;
        return true;
      }
      case 'up':
        this.recall(-1);
        return true;
      case 'down':
        this.recall(1);
        return true;
      case 'space':
        this.insert(' ');
        return true;
      default:
        if ([...name].length !== 1) return false;
        this.insert(name);
        return true;
    }
  }

  /** The newest line before that has the text; pressed again, the one before it. */
  private search(): boolean {
    const { text, at } = this.searched ?? { text: this.text, at: this.history.length };
    const found = this.history.findLastIndex((line, index) => index < at && line.includes(text));
    if (found < 0) return true;
    this.searched = { text, at: found };
    this.text = this.history[found]!;
    this.cursor = this.text.length;
    return true;
  }

  private remove(at: number): void {
    if (at < 0 || at >= this.text.length) return;
    this.text = this.text.slice(0, at) + this.text.slice(at + 1);
    this.cursor = at;
  }

  private recall(step: number): void {
    const at = (this.recalled ?? this.history.length) + step;
    if (at < 0 || at > this.history.length) return;
    this.recalled = at;
    this.text = this.history[at] ?? '';
    this.cursor = this.text.length;
  }
}
