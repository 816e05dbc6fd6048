/** Makes the network card of a model. */
import { E1000, type NetCardOptions } from '../devices/e1000/nic.js';
import type { CardMaker } from '../devices/pci/card.js';
import { Rtl8139 } from '../devices/rtl8139/nic.js';
import { VirtioNet } from '../devices/virtio/net.js';
import { virtioCard } from '../devices/virtio/pci.js';
import type { NetModel } from './cards.js';

const MAKERS: Readonly<Record<NetModel, (options: NetCardOptions) => CardMaker>> = {
  virtio: (options) => virtioCard(new VirtioNet(options)),
  e1000: (options) => (slot) => new E1000(slot, options),
  rtl8139: (options) => (slot) => new Rtl8139(slot, options),
};

/** @param rom the card's expansion ROM; absent: it has none */
export function netCard(model: NetModel = 'virtio', options: NetCardOptions, rom?: Uint8Array): CardMaker {
  const make = MAKERS[model](options);
  if (rom === undefined) return make;
  return (slot) => {
    const card = make(slot);
    card.putRom(rom);
    return card;
  };
}
