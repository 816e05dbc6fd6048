/** Fixed places of the PC that both its chips and the tables describing them must agree on. */

/** Power management block of the PIIX4, where QEMU's firmware puts it. */
export const PM_BASE = 0x600;
export const PM1_EVENT = PM_BASE;
export const PM1_CONTROL = PM_BASE + 4;
export const PM_TIMER = PM_BASE + 8;
export const PM_TIMER_HZ = 3_579_545;
/** System control interrupt, level-triggered. */
export const SCI_IRQ = 9;

export const SMI_COMMAND = 0xb2;
export const ACPI_ENABLE = 0xf1;
export const ACPI_DISABLE = 0xf0;

/** Reset control register of the PIIX3: 0x06 resets the machine. */
export const RESET_CONTROL = 0xcf9;
export const RESET_CONTROL_VALUE = 0x06;

export const COM1_BASE = 0x3f8;
export const COM1_IRQ = 4;
export const RTC_IRQ = 8;
/** The processor's FERR#. */
export const FPU_IRQ = 13;
export const KEYBOARD_IRQ = 1;
export const MOUSE_IRQ = 12;
/** CMOS index of the century, which the FADT names. */
export const CMOS_CENTURY = 0x32;
/** SLP_TYP of S3, S4 and S5 in PM1 control, which the DSDT names; those of QEMU. */
export const SLEEP_TYPE_S3 = 1;
export const SLEEP_TYPE_S4 = 2;
export const SLEEP_TYPE_S5 = 0;

/** Registers of the HPET, and the period of its counter in femtoseconds: 100 MHz. */
export const HPET_BASE = 0xfed00000;
export const HPET_PERIOD_FS = 10_000_000;
/** PCI slot of the video card. */
export const VIDEO_SLOT = 2;
/**
 * PCI slots for cards: 0 and 1 are the chipset's, 2 the video card's. As on QEMU's pc the network card is first, whose slot is
 * its name in the guest (ens3); disks follow, then other cards.
 */
export const FIRST_FREE_SLOT = 3;
export const LAST_SLOT = 31;
