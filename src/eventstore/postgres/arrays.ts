// Arrays as parameters of statements, written so that neither side has to escape or to unpack them.

const oids = { text: 25, json: 114 }
const headerBytes = 20
const lengthBytes = 4

/** An array of texts in PostgreSQL's binary format, which any text goes into as it is. */
export function textArray(texts: readonly string[]): Buffer {
  return binaryArray(oids.text, texts)
}

/** An array of JSON texts in PostgreSQL's binary format, byte for byte. */
export function jsonArray(texts: readonly string[]): Buffer {
  return binaryArray(oids.json, texts)
}

/** An array of numbers or UUIDs: none of their characters means anything in an array literal. */
export function plainArray(values: readonly (number | bigint | string)[]): string {
  return `{${values.join(',')}}`
}

/** Header: dimensions, no nulls, type, length, first index; then each element after its length. */
function binaryArray(oid: number, texts: readonly string[]): Buffer {
  const bytes = texts.reduce((sum, text) => sum + lengthBytes + Buffer.byteLength(text), 0)
  const array = Buffer.allocUnsafe(headerBytes + bytes)
  let at = 0
  for (const word of [1, 0, oid, texts.length, 1]) at = array.writeInt32BE(word, at)
  for (const text of texts) {
    const length = array.write(text, at + lengthBytes)
    array.writeInt32BE(length, at)
    at += lengthBytes + length
  }
  return array
}
