// FXSAVE, XSAVE and their kin. @sdm 1 13 "Managing State Using the XSAVE Feature Set"
import { type OpcodeRow, rows } from './row.js';

/** REX.W selects the forms with 64-bit instruction and data pointers (FXSAVE64 and so on). */
export const stateManagement: readonly OpcodeRow[] = [
  ...rows({ handler: 'execFxsave' }, 'NP 0F AE /0 : FXSAVE M'),
  ...rows({ handler: 'execFxrstor' }, 'NP 0F AE /1 : FXRSTOR M'),
  ...rows({ handler: 'execXsave' }, 'NP 0F AE /4 : XSAVE M'),
  ...rows({ handler: 'execXrstor' }, 'NP 0F AE /5 : XRSTOR M'),
  ...rows({ handler: 'execXsaveopt' }, 'NP 0F AE /6 : XSAVEOPT M'),
  ...rows({ handler: 'execXsavec' }, 'NP 0F C7 /4 : XSAVEC M'),
];
