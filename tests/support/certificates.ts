// Certificates for tests: signed by their own key, for this machine, valid when a test wants it.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** A certificate and its key in PEM. */
export interface Certificate {
  cert: string
  key: string
  keyWithPassword: string
}

/** A certificate of `localhost` and 127.0.0.1 that trusts itself. */
export function certificate(from: Date, to: Date): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const
  const locked = { ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'secret' }
  return {
    cert: asPem(signed(described(publicKey, from, to), privateKey)),
    key: String(privateKey.export(pkcs8)),
    keyWithPassword: String(privateKey.export(locked)),
  }
}

const sequence = 0x30
const algorithm = der(sequence, Buffer.from('06082a8648ce3d040302', 'hex'))
const oid = { commonName: '0603550403', basicConstraints: '0603551d13', altNames: '0603551d11' }

function described(key: KeyObject, from: Date, to: Date): Buffer {
  const commonName = der(sequence, hex(oid.commonName), der(0x0c, text('localhost')))
  const name = der(sequence, der(0x31, commonName))
  const names = der(sequence, der(0x82, text('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])))
  const isAuthority = der(sequence, der(0x01, Buffer.from([0xff])))
  const extensions = der(
    sequence,
    der(sequence, hex(oid.basicConstraints), der(0x04, isAuthority)),
    der(sequence, hex(oid.altNames), der(0x04, names)),
  )
  return der(
    sequence,
    ...[der(0xa0, der(0x02, Buffer.from([2]))), der(0x02, Buffer.from([1])), algorithm, name],
    ...[der(sequence, time(from), time(to)), name, key.export({ type: 'spki', format: 'der' })],
    der(0xa3, extensions),
  )
}

function signed(body: Buffer, key: KeyObject): Buffer {
  const signature = sign('sha256', body, key)
  return der(sequence, body, algorithm, der(0x03, Buffer.from([0]), signature))
}

function asPem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

/** Up to 2049 the standard wants the year with two digits. */
function time(at: Date): Buffer {
  const digits = at.toISOString().replace(/\D/g, '').slice(0, 14)
  return at.getUTCFullYear() < 2050
    ? der(0x17, text(`${digits.slice(2)}Z`))
    : der(0x18, text(`${digits}Z`))
}

const text = (content: string) => Buffer.from(content, 'utf8')
const hex = (content: string) => Buffer.from(content, 'hex')

/** A value of ASN.1 as its tag, its length and its content. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content])
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), content])
}
