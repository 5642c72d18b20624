import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** How to read a field of a protocol buffer: the wire type it must have, and what to do with its value. */
export type Field = readonly [wire: WireType, read: (reader: BinaryReader) => void];

export const bytes = (take: (value: Uint8Array) => void): Field => [
  WireType.LengthDelimited,
  (reader) => take(reader.bytes()),
];

export const string = (take: (value: string) => void): Field => [
  WireType.LengthDelimited,
  (reader) => take(reader.string()),
];

/** A whole number. Beyond 2^53 it is rounded: no size or position that is meant in earnest is so large. */
export const whole = (take: (value: number) => void): Field => [
  WireType.Varint,
  (reader) => take(Number(reader.int64())),
];

export const fixed32 = (take: (value: number) => void): Field => [
  WireType.Bit32,
  (reader) => take(reader.fixed32()),
];

/**
 * Reads a message: the given fields by their numbers, in the order in which they stand; others are passed over.
 *
 * @throws Error when the bytes end inside a field, or a field has another wire type.
 */
export function readMessage(content: Uint8Array, fields: Readonly<Record<number, Field>>): void {
  const reader = new BinaryReader(content);
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    const field = fields[number];
    if (!field) reader.skip(wire, number);
    else if (field[0] === wire) field[1](reader);
    else throw new Error(`field ${number} of wire type ${wire}`);
  }
}
