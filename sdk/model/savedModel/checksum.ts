import { createCRC32 } from "hash-wasm";

/** The polynomial of CRC-32C (Castagnoli), reversed. */
const CASTAGNOLI = 0x82f63b78;

/** A running CRC-32C, as TensorFlow and LevelDB store it. */
export interface Checksum {
  add(bytes: Uint8Array): Checksum;
  /** The sum of all bytes added, masked: the checksum of data that holds checksums would otherwise be weak. */
  masked(): number;
}

/** Makes checksums, each starting anew. Only one may be in use at a time. */
export async function checksums(): Promise<() => Checksum> {
  const sum = await createCRC32(CASTAGNOLI);
  const running: Checksum = {
    add: (bytes) => {
      sum.update(bytes);
      return running;
    },
    masked: () => {
      const crc = Number.parseInt(sum.digest(), 16);
      return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
    },
  };
  return () => {
    sum.init();
    return running;
  };
}
