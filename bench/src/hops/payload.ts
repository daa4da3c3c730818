/** What travels: 64 bytes, or an object of two fields. The other side answers with its number plus one. */

export type PayloadKind = 'bytes64' | 'object2';
export const payloadKinds: readonly PayloadKind[] = ['bytes64', 'object2'];

export interface Object2 {
  readonly id: number;
  readonly name: string;
}
export type Payload = Uint8Array | Object2;

/** Distinct payloads, made before the clock starts. */
export const payloadCount = 256;

export function makePayloads(kind: PayloadKind): Payload[] {
  return Array.from({ length: payloadCount }, (_, i) => {
    if (kind === 'object2') return { id: i, name: `request number ${i}` };
    const bytes = new Uint8Array(64).fill(i);
    bytes[0] = i;
    return bytes;
  });
}

/** The work: a copy with the number one larger. The same on every side of every system. */
export function answer(payload: Payload): Payload {
  if (payload instanceof Uint8Array) {
    const copy = new Uint8Array(payload);
    copy[0] = (payload[0] as number) + 1;
    return copy;
  }
  return { id: payload.id + 1, name: payload.name };
}

/** The number in a payload, 0 to 255. */
export function numberIn(payload: Payload): number {
  return (payload instanceof Uint8Array ? (payload[0] as number) : payload.id) & 0xff;
}
