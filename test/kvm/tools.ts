import { execFileSync } from 'node:child_process';
import { probeKvm } from '../../src/engine/host/kvm/probe.js';

const required = process.env.VMSCOPE_REQUIRE_TOOLS === '1';

/** True when a test must be skipped since a tool is absent; throws instead where tools are required. */
export function toolOrSkip(tool: string, also = true, what = ''): boolean {
  let found = also;
  try {
    execFileSync(tool, ['--version'], { stdio: 'ignore' });
  } catch {
    found = false;
  }
  if (found) return false;
  if (required) throw new Error(`${tool}${what === '' ? '' : ` and ${what}`} required by VMSCOPE_REQUIRE_TOOLS`);
  return true;
}

/** Why tests on a real /dev/kvm are skipped here; empty when they run. A host without KVM is no fault of the install. */
export function kvmSkipReason(): string {
  const probe = probeKvm();
  return probe.usable ? '' : probe.reason;
}
