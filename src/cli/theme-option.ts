import { Option } from 'commander';
import { parsePictures } from '../tui/picture/pictures.js';
import { parseTheme } from '../tui/screen/theme.js';
import { UsageError } from './options.js';

/** Where the dashboard reads it. */
const VARIABLE = 'VMSCOPE_THEME';

/** @throws UsageError naming where it was said and the words that there are */
function check(text: string, where: string): void {
  try {
    parseTheme(text);
  } catch (error) {
    throw new UsageError(`${where}: ${(error as Error).message}`);
  }
}

/** `--theme`, for every command that has a screen. */
export function themeOption(): Option {
  return new Option(
    '--theme <words>',
    `colours and borders: auto, dark, light, mono, 8, 16, 256, 24bit, ascii, utf8, several with commas; also ${VARIABLE}`,
  ).argParser((text) => {
    check(text, '--theme');
    process.env[VARIABLE] = text;
    return text;
  });
}

/** Where the dashboard reads how the guest's screen is shown. */
const PICTURES = 'VMSCOPE_PICTURES';

/** @throws UsageError naming where it was said and the words that there are */
function checkPictures(text: string, where: string): void {
  try {
    parsePictures(text);
  } catch (error) {
    throw new UsageError(`${where}: ${(error as Error).message}`);
  }
}

/** `--pictures`, for every command that shows a guest's screen. */
export function picturesOption(): Option {
  return new Option(
    '--pictures <way>',
    `the guest's display in the dashboard: auto, kitty, sixel, blocks, none; also ${PICTURES}`,
  ).argParser((text) => {
    checkPictures(text, '--pictures');
    process.env[PICTURES] = text;
    return text;
  });
}

/** What the environment says, before anything is drawn. */
export function checkTheme(): void {
  const { [VARIABLE]: theme, [PICTURES]: pictures } = process.env;
  if (theme) check(theme, VARIABLE);
  if (pictures) checkPictures(pictures, PICTURES);
}

/** `--no-config`, beside it: it reaches the dashboard as VMSCOPE_NO_CONFIG. */
export const noConfigOption = (): Option =>
  new Option('--no-config', 'read and keep no settings and no typed commands');
