/** How files keep numbers: bytes per element, whether they are whole, and one of them read from little-endian bytes. */
interface NumberType {
  readonly width: number;
  readonly whole: boolean;
  read(view: DataView, at: number): number;
}

/** Types of numbers by their names in NumPy and TensorFlow. */
const NUMBERS = {
  float16: { width: 2, whole: false, read: (view, at) => half(view.getUint16(at, true)) },
  bfloat16: { width: 2, whole: false, read: (view, at) => upperHalf(view.getUint16(at, true)) },
  float32: { width: 4, whole: false, read: (view, at) => view.getFloat32(at, true) },
  float64: { width: 8, whole: false, read: (view, at) => view.getFloat64(at, true) },
  bool: { width: 1, whole: true, read: (view, at) => view.getUint8(at) },
  int8: { width: 1, whole: true, read: (view, at) => view.getInt8(at) },
  uint8: { width: 1, whole: true, read: (view, at) => view.getUint8(at) },
  int16: { width: 2, whole: true, read: (view, at) => view.getInt16(at, true) },
  uint16: { width: 2, whole: true, read: (view, at) => view.getUint16(at, true) },
  int32: { width: 4, whole: true, read: (view, at) => view.getInt32(at, true) },
  uint32: { width: 4, whole: true, read: (view, at) => view.getUint32(at, true) },
  int64: { width: 8, whole: true, read: (view, at) => Number(view.getBigInt64(at, true)) },
  uint64: { width: 8, whole: true, read: (view, at) => Number(view.getBigUint64(at, true)) },
} as const satisfies Readonly<Record<string, NumberType>>;

export type NumberName = keyof typeof NUMBERS;

export function isNumberName(name: string): name is NumberName {
  return Object.hasOwn(NUMBERS, name);
}

/** Bytes per element. */
export function widthOf(name: NumberName): number {
  return NUMBERS[name].width;
}

export function isWhole(name: NumberName): boolean {
  return NUMBERS[name].whole;
}

/**
 * Decodes little-endian `bytes` into `target` from element `at` on. float64 is rounded to float32, everything else of up
 * to 32 bits is kept exactly.
 *
 * @throws RangeError for a whole number of more than 32 bits.
 */
export function decode(
  bytes: Uint8Array,
  name: NumberName,
  target: Float32Array | Int32Array,
  at: number,
): void {
  const { width, read } = NUMBERS[name];
  if (name === "float32" && target instanceof Float32Array) {
    new Uint8Array(target.buffer, target.byteOffset + 4 * at, bytes.length).set(bytes);
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < bytes.length / width; i++) {
    const value = read(view, i * width);
    target[at + i] = value;
    if (target instanceof Int32Array && target[at + i] !== value) throw new RangeError(`the number ${value}`);
  }
}

/** IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const word = new DataView(new ArrayBuffer(4));

/** bfloat16 is the upper half of a float32. */
function upperHalf(bits: number): number {
  word.setUint32(0, bits * 0x10000);
  return word.getFloat32(0);
}
