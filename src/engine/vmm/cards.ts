/** Virtio devices that a machine has on request. */
export const CARDS = ['virtio-rng', 'virtio-balloon', 'virtio-console'] as const;
export type Card = (typeof CARDS)[number];

/** Network cards, by QEMU's names; the first one is there where none is named. */
export const NET_MODELS = ['virtio', 'e1000', 'rtl8139'] as const;
export type NetModel = (typeof NET_MODELS)[number];
