/** The bay of a drive whose medium can be changed: what is in it, and by what name it comes back from a state. */
import { optional, type Schema, text } from '../state/schema.js';
import type { Drive, Medium } from './block.js';

/** In a state: the file of a medium that was put in; '' for the one that the machine began with; undefined: none. */
export const MEDIUM: Schema<string | undefined> = optional(text);

const FIRST = '';

export class MediumBay {
  readonly name: string;
  readonly #first: Medium | undefined;
  #medium: Medium | undefined;
  #file: string | undefined;

  constructor(private readonly drive: Pick<Drive, 'name' | 'kind' | 'store' | 'image' | 'traffic' | 'shelf'>) {
    this.name = drive.name;
    const { store, image, traffic } = drive;
    this.#first = store && { store, ...(image ? { image } : {}), ...(traffic ? { traffic } : {}) };
    this.#medium = this.#first;
    this.#file = store && FIRST;
  }

  get medium(): Medium | undefined {
    return this.#medium;
  }

  /** For the drive's state. */
  get file(): string | undefined {
    return this.#file;
  }

  /** Another medium, or none. What cannot be had, as in a run that is repeated elsewhere, is none. */
  put(file: string | undefined): void {
    this.#medium = file === undefined ? undefined : file === FIRST ? this.#first : this.#fetch(file);
    this.#file = file;
  }

  #fetch(file: string): Medium | undefined {
    try {
      return this.drive.shelf?.get(file, this.drive.kind);
    } catch {
      return undefined;
    }
  }
}

/** A drive whose medium the machine's user can change. */
export interface MediumDrive {
  readonly bay: MediumBay;
  /** Software holds its door shut. */
  readonly locked: boolean;
  /** The user has put another medium in, or taken it out. */
  change(file: string | undefined): void;
  /** The user has pressed the button of a drive that is held shut. */
  askForEjection(): void;
}
