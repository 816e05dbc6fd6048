/** What `rom.S` assembles to (test/boot/bios-kernel.test.ts compares), and where its parameters are. */
export const ROM_CODE = Uint8Array.from(
  atob(
    'VaoAywAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgAAAAAAAkUG5QAQIAAAAAAAAAAIAAiAAAAAAAAAAAAKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' +
      'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB2bXNjb3BlAGtlcm5lbCBvZiAtLWtlcm5lbAAAAAAAAPr8Dh8xwI7Q' +
      'vAB8jsCLLkAAvvABhe10K78AfLkIAPOlZjHAuhQFZu9muAAAfAC6GAVm7yZmoQB8ZiX////+dfNN69GDPkIAAHUyoUQAZg+3DkYAjtiOwI7gjuiO' +
      '0GaJzIPAIFBqAGYxwGYx22YxyWYx0mYx9mYx/2Yx7cuOBkgAMf9mMdsx7VcDPkwAZrgg6AAAZrkUAAAAZrpQQU1TzRVfch1moVAAVwM+TgAmZokF' +
      'X4PHGEU7LkoAcwVmhdt1x2YPt8Vm9yZYAMQ+VAAmZokFMckx0rgB6M0VZg+3wGYPt9tmweMGZgHYxD5cACZmiQVmMduMy2bB4wRmgcPUAQAAZg+3' +
      'BmYAZlBmU4suaABmiw5qAGahbgBmix5yAGaLFnYA+mYPARZgAA8gxoPOAQ8ixmbLjt2OxY7lju2O1YnMMckx9jH/Me3/4gAAAAAAAA==',
  ),
  (character) => character.charCodeAt(0),
);

/** Offsets of what is filled in. */
export const ROM = {
  units: 0x02,
  plugAndPlay: 0x20,
  plugAndPlayBytes: 0x20,
  plugAndPlayChecksum: 0x29,
  transfers: 0x40,
  isProtected: 0x42,
  realSegment: 0x44,
  realStack: 0x46,
  mapSegment: 0x48,
  mapMost: 0x4a,
  mapRangeAt: 0x4c,
  mapOtherAt: 0x4e,
  mapOther: 0x50,
  mapCountAt: 0x54,
  mapUnit: 0x58,
  upperAt: 0x5c,
  gdtLimit: 0x60,
  gdtBase: 0x62,
  codeSelector: 0x66,
  dataSelector: 0x68,
  esp: 0x6a,
  eax: 0x6e,
  ebx: 0x72,
  eip: 0x76,
} as const;
