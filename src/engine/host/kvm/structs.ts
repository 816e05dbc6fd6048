// The structures of linux/kvm.h and asm/kvm.h (x86-64), as data: the field order is the kernel's,
// offsets follow from C's alignment rules. test/kvm compares every size and offset with the header.

/** A C scalar; s* is signed. */
export type Scalar = 'u8' | 'u16' | 'u32' | 'u64' | 's16' | 's32' | 's64';

export interface ArrayType {
  of: FieldType;
  length: number;
}

export type FieldType = Scalar | ArrayType | Layout;

export interface Field {
  offset: number;
  size: number;
  type: FieldType;
}

/** A structure: size in bytes and its fields; fields of inner structures are named with dots (`cs.base`). */
export interface Layout {
  name: string;
  size: number;
  align: number;
  fields: Readonly<Record<string, Field>>;
}

const SCALAR_BYTES: Record<Scalar, number> = { u8: 1, u16: 2, u32: 4, u64: 8, s16: 2, s32: 4, s64: 8 };

const array = (of: FieldType, length: number): ArrayType => ({ of, length });
const isArray = (type: FieldType): type is ArrayType => typeof type === 'object' && 'of' in type;

/** Bytes of a field's type. */
export function sizeOf(type: FieldType): number {
  if (typeof type === 'string') return SCALAR_BYTES[type];
  return isArray(type) ? sizeOf(type.of) * type.length : type.size;
}

function alignOf(type: FieldType): number {
  if (typeof type === 'string') return SCALAR_BYTES[type];
  return isArray(type) ? alignOf(type.of) : type.align;
}

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

function define(name: string, members: Record<string, FieldType>, union = false): Layout {
  const fields: Record<string, Field> = {};
  let end = 0;
  let align = 1;
  for (const [key, type] of Object.entries(members)) {
    const offset = union ? 0 : roundUp(end, alignOf(type));
    const size = sizeOf(type);
    fields[key] = { offset, size, type };
    if (typeof type === 'object' && !isArray(type)) {
      for (const [inner, field] of Object.entries(type.fields)) {
        fields[`${key}.${inner}`] = { ...field, offset: offset + field.offset };
      }
    }
    align = Math.max(align, alignOf(type));
    end = union ? Math.max(end, size) : offset + size;
  }
  return { name, size: roundUp(end, align), align, fields };
}

const struct = (name: string, members: Record<string, FieldType>): Layout => define(name, members);
const union = (name: string, members: Record<string, FieldType>): Layout => define(name, members, true);
const all = (names: string, type: FieldType): Record<string, FieldType> =>
  Object.fromEntries(names.split(' ').map((name) => [name, type]));

// ---- vCPU state ----

export const KVM_REGS = struct(
  'kvm_regs',
  all('rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags', 'u64'),
);

export const KVM_SEGMENT = struct('kvm_segment', {
  base: 'u64',
  limit: 'u32',
  selector: 'u16',
  ...all('type present dpl db s l g avl unusable padding', 'u8'),
});

export const KVM_DTABLE = struct('kvm_dtable', { base: 'u64', limit: 'u16', padding: array('u16', 3) });

const SREGS_COMMON = {
  ...all('cs ds es fs gs ss tr ldt', KVM_SEGMENT),
  ...all('gdt idt', KVM_DTABLE),
  ...all('cr0 cr2 cr3 cr4 cr8 efer apic_base', 'u64'),
};

export const KVM_SREGS = struct('kvm_sregs', { ...SREGS_COMMON, interrupt_bitmap: array('u64', 4) });
export const KVM_SREGS2 = struct('kvm_sregs2', { ...SREGS_COMMON, flags: 'u64', pdptrs: array('u64', 4) });

export const KVM_FPU = struct('kvm_fpu', {
  fpr: array(array('u8', 16), 8),
  fcw: 'u16',
  fsw: 'u16',
  ftwx: 'u8',
  pad1: 'u8',
  last_opcode: 'u16',
  last_ip: 'u64',
  last_dp: 'u64',
  xmm: array(array('u8', 16), 16),
  mxcsr: 'u32',
  pad2: 'u32',
});

export const KVM_XSAVE = struct('kvm_xsave', { region: array('u32', 1024) });
export const KVM_XCR = struct('kvm_xcr', { xcr: 'u32', reserved: 'u32', value: 'u64' });
export const KVM_XCRS = struct('kvm_xcrs', {
  nr_xcrs: 'u32',
  flags: 'u32',
  xcrs: array(KVM_XCR, 16),
  padding: array('u64', 16),
});

export const KVM_MSR_ENTRY = struct('kvm_msr_entry', { index: 'u32', reserved: 'u32', data: 'u64' });
/** Header; the entries follow. */
export const KVM_MSRS = struct('kvm_msrs', { nmsrs: 'u32', pad: 'u32', entries: array(KVM_MSR_ENTRY, 0) });
/** Header; u32 indices follow. */
export const KVM_MSR_FILTER_RANGE = struct('kvm_msr_filter_range', {
  ...all('flags nmsrs base', 'u32'),
  bitmap: 'u64',
});
/** MSRs that the guest's RDMSR and WRMSR do not reach: those whose bit in a range's bitmap is 0. */
export const KVM_MSR_FILTER = struct('kvm_msr_filter', { flags: 'u32', ranges: array(KVM_MSR_FILTER_RANGE, 16) });
export const KVM_MSR_LIST = struct('kvm_msr_list', { nmsrs: 'u32', indices: array('u32', 0) });

export const KVM_CPUID_ENTRY2 = struct('kvm_cpuid_entry2', {
  ...all('function index flags eax ebx ecx edx', 'u32'),
  padding: array('u32', 3),
});
/** Header; the entries follow. */
export const KVM_CPUID2 = struct('kvm_cpuid2', { nent: 'u32', padding: 'u32', entries: array(KVM_CPUID_ENTRY2, 0) });

export const KVM_VCPU_EVENTS = struct('kvm_vcpu_events', {
  exception: struct('exception', { ...all('injected nr has_error_code pending', 'u8'), error_code: 'u32' }),
  interrupt: struct('interrupt', all('injected nr soft shadow', 'u8')),
  nmi: struct('nmi', all('injected pending masked pad', 'u8')),
  sipi_vector: 'u32',
  flags: 'u32',
  smi: struct('smi', all('smm pending smm_inside_nmi latched_init', 'u8')),
  triple_fault: struct('triple_fault', { pending: 'u8' }),
  reserved: array('u8', 26),
  exception_has_payload: 'u8',
  exception_payload: 'u64',
});

export const KVM_DEBUGREGS = struct('kvm_debugregs', {
  db: array('u64', 4),
  ...all('dr6 dr7 flags', 'u64'),
  reserved: array('u64', 9),
});

export const KVM_GUEST_DEBUG = struct('kvm_guest_debug', {
  control: 'u32',
  pad: 'u32',
  arch: struct('kvm_guest_debug_arch', { debugreg: array('u64', 8) }),
});

export const KVM_LAPIC_STATE = struct('kvm_lapic_state', { regs: array('u8', 0x400) });
export const KVM_MP_STATE = struct('kvm_mp_state', { mp_state: 'u32' });
export const KVM_INTERRUPT = struct('kvm_interrupt', { irq: 'u32' });
/** Header; the signal set (8 bytes) follows. */
export const KVM_SIGNAL_MASK = struct('kvm_signal_mask', { len: 'u32', sigset: array('u8', 0) });
export const KVM_TRANSLATION = struct('kvm_translation', {
  linear_address: 'u64',
  physical_address: 'u64',
  ...all('valid writeable usermode', 'u8'),
  pad: array('u8', 5),
});

// ---- machine ----

export const KVM_USERSPACE_MEMORY_REGION = struct('kvm_userspace_memory_region', {
  ...all('slot flags', 'u32'),
  ...all('guest_phys_addr memory_size userspace_addr', 'u64'),
});

export const KVM_DIRTY_LOG = struct('kvm_dirty_log', { slot: 'u32', padding1: 'u32', dirty_bitmap: 'u64' });
export const KVM_CLEAR_DIRTY_LOG = struct('kvm_clear_dirty_log', {
  slot: 'u32',
  num_pages: 'u32',
  first_page: 'u64',
  dirty_bitmap: 'u64',
});

export const KVM_IRQ_LEVEL = struct('kvm_irq_level', { irq: 'u32', level: 'u32' });
export const KVM_MSI = struct('kvm_msi', {
  ...all('address_lo address_hi data flags devid', 'u32'),
  pad: array('u8', 12),
});

export const KVM_PIC_STATE = struct(
  'kvm_pic_state',
  all(
    'last_irr irr imr isr priority_add irq_base read_reg_select poll special_mask init_state auto_eoi ' +
      'rotate_on_auto_eoi special_fully_nested_mode init4 elcr elcr_mask',
    'u8',
  ),
);
export const KVM_IOAPIC_STATE = struct('kvm_ioapic_state', {
  base_address: 'u64',
  ...all('ioregsel id irr pad', 'u32'),
  redirtbl: array('u64', 24),
});
export const KVM_IRQCHIP = struct('kvm_irqchip', {
  chip_id: 'u32',
  pad: 'u32',
  chip: union('chip', { dummy: array('u8', 512), pic: KVM_PIC_STATE, ioapic: KVM_IOAPIC_STATE }),
});

export const KVM_PIT_CONFIG = struct('kvm_pit_config', { flags: 'u32', pad: array('u32', 15) });
export const KVM_PIT_CHANNEL_STATE = struct('kvm_pit_channel_state', {
  count: 'u32',
  latched_count: 'u16',
  ...all('count_latched status_latched status read_state write_state write_latch rw_mode mode bcd gate', 'u8'),
  count_load_time: 's64',
});
export const KVM_PIT_STATE2 = struct('kvm_pit_state2', {
  channels: array(KVM_PIT_CHANNEL_STATE, 3),
  flags: 'u32',
  reserved: array('u32', 9),
});

export const KVM_IRQ_ROUTING_IRQCHIP = struct('kvm_irq_routing_irqchip', all('irqchip pin', 'u32'));
export const KVM_IRQ_ROUTING_MSI = struct('kvm_irq_routing_msi', all('address_lo address_hi data devid', 'u32'));
export const KVM_IRQ_ROUTING_ENTRY = struct('kvm_irq_routing_entry', {
  ...all('gsi type flags pad', 'u32'),
  u: union('u', { irqchip: KVM_IRQ_ROUTING_IRQCHIP, msi: KVM_IRQ_ROUTING_MSI, pad: array('u32', 8) }),
});
/** Header; the entries follow. */
export const KVM_IRQ_ROUTING = struct('kvm_irq_routing', {
  ...all('nr flags', 'u32'),
  entries: array(KVM_IRQ_ROUTING_ENTRY, 0),
});

export const KVM_IRQFD = struct('kvm_irqfd', { ...all('fd gsi flags resamplefd', 'u32'), pad: array('u8', 16) });
export const KVM_IOEVENTFD = struct('kvm_ioeventfd', {
  datamatch: 'u64',
  addr: 'u64',
  len: 'u32',
  fd: 's32',
  flags: 'u32',
  pad: array('u8', 36),
});
export const KVM_ENABLE_CAP = struct('kvm_enable_cap', {
  cap: 'u32',
  flags: 'u32',
  args: array('u64', 4),
  pad: array('u8', 64),
});

// ---- statistics file (KVM_GET_STATS_FD) ----

export const KVM_STATS_HEADER = struct(
  'kvm_stats_header',
  all('flags name_size num_desc id_offset desc_offset data_offset', 'u32'),
);
/** The name follows, in the header's name_size bytes. */
export const KVM_STATS_DESC = struct('kvm_stats_desc', {
  flags: 'u32',
  exponent: 's16',
  size: 'u16',
  offset: 'u32',
  bucket_size: 'u32',
  name: array('u8', 0),
});

// ---- kvm_run, the page shared with the kernel ----

const EXIT_UNION = union('exit', {
  hw: struct('hw', { hardware_exit_reason: 'u64' }),
  fail_entry: struct('fail_entry', { hardware_entry_failure_reason: 'u64', cpu: 'u32' }),
  ex: struct('ex', { exception: 'u32', error_code: 'u32' }),
  io: struct('io', { direction: 'u8', size: 'u8', port: 'u16', count: 'u32', data_offset: 'u64' }),
  debug: struct('debug', {
    arch: struct('kvm_debug_exit_arch', { exception: 'u32', pad: 'u32', pc: 'u64', dr6: 'u64', dr7: 'u64' }),
  }),
  mmio: struct('mmio', { phys_addr: 'u64', data: array('u8', 8), len: 'u32', is_write: 'u8' }),
  hypercall: struct('hypercall', { nr: 'u64', args: array('u64', 6), ret: 'u64', longmode: 'u32', pad: 'u32' }),
  tpr_access: struct('tpr_access', { rip: 'u64', is_write: 'u32', pad: 'u32' }),
  internal: struct('internal', { suberror: 'u32', ndata: 'u32', data: array('u64', 16) }),
  emulation_failure: struct('emulation_failure', {
    suberror: 'u32',
    ndata: 'u32',
    flags: 'u64',
    insn_size: 'u8',
    insn_bytes: array('u8', 15),
  }),
  system_event: struct('system_event', { type: 'u32', ndata: 'u32', data: array('u64', 16) }),
  eoi: struct('eoi', { vector: 'u8' }),
  msr: struct('msr', { error: 'u8', pad: array('u8', 7), reason: 'u32', index: 'u32', data: 'u64' }),
  notify: struct('notify', { flags: 'u32' }),
  padding: array('u8', 256),
});

const SYNC_REGS = struct('kvm_sync_regs', { regs: KVM_REGS, sregs: KVM_SREGS, events: KVM_VCPU_EVENTS });

/** The head of the mapping; with KVM_CAP_SYNC_REGS the registers are at `s.regs`, `s.sregs`, `s.events`. */
export const KVM_RUN_PAGE = struct('kvm_run', {
  request_interrupt_window: 'u8',
  immediate_exit: 'u8',
  padding1: array('u8', 6),
  exit_reason: 'u32',
  ready_for_interrupt_injection: 'u8',
  if_flag: 'u8',
  flags: 'u16',
  cr8: 'u64',
  apic_base: 'u64',
  exit: EXIT_UNION,
  kvm_valid_regs: 'u64',
  kvm_dirty_regs: 'u64',
  s: union('s', { regs: SYNC_REGS, padding: array('u8', 2048) }),
});

/** All structures that a user of the API names, for tests and for ioctl sizes. */
export const LAYOUTS: readonly Layout[] = [
  KVM_REGS,
  KVM_SEGMENT,
  KVM_DTABLE,
  KVM_SREGS,
  KVM_SREGS2,
  KVM_FPU,
  KVM_XSAVE,
  KVM_XCR,
  KVM_XCRS,
  KVM_MSR_ENTRY,
  KVM_MSRS,
  KVM_MSR_LIST,
  KVM_MSR_FILTER_RANGE,
  KVM_MSR_FILTER,
  KVM_CPUID_ENTRY2,
  KVM_CPUID2,
  KVM_VCPU_EVENTS,
  KVM_DEBUGREGS,
  KVM_GUEST_DEBUG,
  KVM_LAPIC_STATE,
  KVM_MP_STATE,
  KVM_INTERRUPT,
  KVM_SIGNAL_MASK,
  KVM_TRANSLATION,
  KVM_USERSPACE_MEMORY_REGION,
  KVM_DIRTY_LOG,
  KVM_CLEAR_DIRTY_LOG,
  KVM_IRQ_LEVEL,
  KVM_MSI,
  KVM_PIC_STATE,
  KVM_IOAPIC_STATE,
  KVM_IRQCHIP,
  KVM_PIT_CONFIG,
  KVM_PIT_CHANNEL_STATE,
  KVM_PIT_STATE2,
  KVM_IRQ_ROUTING_IRQCHIP,
  KVM_IRQ_ROUTING_MSI,
  KVM_IRQ_ROUTING_ENTRY,
  KVM_IRQ_ROUTING,
  KVM_IRQFD,
  KVM_IOEVENTFD,
  KVM_ENABLE_CAP,
  KVM_STATS_HEADER,
  KVM_STATS_DESC,
  KVM_RUN_PAGE,
];

/** A value of a structure type: its bytes, read and written by field name. */
export class KvmStruct {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  /** `tail` bytes follow the structure (arrays of variable length). */
  constructor(
    readonly layout: Layout,
    bytes: Uint8Array | number = 0,
  ) {
    this.bytes = typeof bytes === 'number' ? new Uint8Array(layout.size + bytes) : bytes;
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  /** Offset of a field in bytes. */
  offset(name: string): number {
    return this.field(name).offset;
  }

  /** A scalar of up to 32 bits. */
  get(name: string): number {
    const { offset, type } = this.field(name);
    switch (type) {
      case 'u8':
        return this.view.getUint8(offset);
      case 'u16':
        return this.view.getUint16(offset, true);
      case 's16':
        return this.view.getInt16(offset, true);
      case 'u32':
        return this.view.getUint32(offset, true);
      case 's32':
        return this.view.getInt32(offset, true);
      default:
        throw new TypeError(`${this.layout.name}.${name} is not a scalar of up to 32 bits`);
    }
  }

  /** A 64-bit scalar, or element `index` of an array of them. */
  getBig(name: string, index = 0): bigint {
    return this.view.getBigUint64(this.bigOffset(name, index), true);
  }

  set(name: string, value: number | bigint): this {
    const { offset, type } = this.field(name);
    switch (type) {
      case 'u8':
        this.view.setUint8(offset, Number(value));
        break;
      case 'u16':
      case 's16':
        this.view.setUint16(offset, Number(value), true);
        break;
      case 'u32':
      case 's32':
        this.view.setUint32(offset, Number(value), true);
        break;
      case 'u64':
      case 's64':
        this.view.setBigUint64(offset, BigInt(value), true);
        break;
      default:
        throw new TypeError(`${this.layout.name}.${name} is not a scalar`);
    }
    return this;
  }

  setBig(name: string, value: bigint, index = 0): this {
    this.view.setBigUint64(this.bigOffset(name, index), value, true);
    return this;
  }

  /** The bytes of an array or inner structure, not copied. */
  slice(name: string): Uint8Array {
    const { offset, size } = this.field(name);
    return this.bytes.subarray(offset, offset + size);
  }

  private bigOffset(name: string, index: number): number {
    const { offset, size, type } = this.field(name);
    const scalar = typeof type === 'object' && isArray(type) ? type.of : type;
    if ((scalar !== 'u64' && scalar !== 's64') || index * 8 >= size) {
      throw new TypeError(`${this.layout.name}.${name}[${index}] is not a 64-bit scalar`);
    }
    return offset + index * 8;
  }

  private field(name: string): Field {
    const field = this.layout.fields[name];
    if (!field) throw new TypeError(`${this.layout.name} has no field ${name}`);
    return field;
  }
}
