// Arrays out of the page's text, as packing.py put them in.

const ALPHABET =
  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%.()*+-;,=>?@^_`{|}~";

/** The bytes that base-85 text stands for: five characters are four bytes. */
export function fromBase85(text) {
  const digits = new Uint8Array(128);
  for (let i = 0; i < ALPHABET.length; i++) digits[ALPHABET.charCodeAt(i)] = i;
  const groups = Math.ceil(text.length / 5);
  const view = new DataView(new ArrayBuffer(4 * groups));
  for (let group = 0; group < groups; group++) {
    let value = 0;
    for (let i = 5 * group; i < 5 * group + 5; i++) {
      value = 85 * value + (i < text.length ? digits[text.charCodeAt(i)] : 84);
    }
    view.setUint32(4 * group, value);
  }
  const missing = 5 * groups - text.length;
  return new Uint8Array(view.buffer, 0, 4 * groups - missing);
}

/** The bytes that gzip made these of. */
export async function decompressed(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** One array: whole numbers of steps, whose bytes lie apart by their place. */
export function unpack(bytes, { shape, at, planes, low, step }) {
  const size = shape.reduce((product, side) => product * side, 1);
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    let number = 0;
    for (let plane = planes - 1; plane >= 0; plane--) {
      number = 256 * number + bytes[at + plane * size + i];
    }
    values[i] = low + step * number;
  }
  values.shape = shape;
  return values;
}

/** A tree in which every description of an array gives way to the array. */
export function unpackAll(tree, bytes) {
  if (Array.isArray(tree)) return tree.map((value) => unpackAll(value, bytes));
  if (tree === null || typeof tree !== "object") return tree;
  if ("planes" in tree) return unpack(bytes, tree);
  const entries = Object.entries(tree).map(([name, value]) => [name, unpackAll(value, bytes)]);
  return Object.fromEntries(entries);
}
