/* What the programs have of a machine: serial port, a generator of numbers, power off. `work` is what is measured. */
#pragma once
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

/* Kept apart from its caller, as a function of another file is. */
#define APART __attribute__((noinline))

/* The same numbers on every machine. */
u32 next_number(void);

/* What is measured, `times` over. Answers a checksum. */
u32 work(u32 times);
