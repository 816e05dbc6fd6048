/** Virtio devices that a machine has on request. */
export const CARDS = ['virtio-rng', 'virtio-balloon', 'virtio-console'] as const;
export type Card = (typeof CARDS)[number];
