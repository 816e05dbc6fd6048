/**
 * Each test file has its own folders of the user (sockets of running guests, settings, saved machines), so that two files
 * that run at the same time do not meet each other's guests, and no test meets the developer's.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

// short: a socket's path has 107 characters
const folder = mkdtempSync(join(tmpdir(), 'vt-'));
process.env.XDG_RUNTIME_DIR = folder;
process.env.XDG_CONFIG_HOME = join(folder, 'config');
process.env.XDG_STATE_HOME = join(folder, 'state');

afterAll(() => rmSync(folder, { recursive: true, force: true }));
