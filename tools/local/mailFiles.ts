// Caught mails as files: one .eml a mail, named by its time of arrival, for any mail program.
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import PostalMime, { type Address } from 'postal-mime'
import { makeDirectory } from '../../src/kit/makeDirectory.ts'

export interface MailSummary {
  id: string
  receivedAt: string
  from: string
  to: string
  subject: string
}

export interface CaughtMail extends MailSummary {
  text: string
  html: string | undefined
  attachments: { name: string; type: string; bytes: number }[]
}

const validId = /^\d{8}T\d{9}Z-[0-9a-f]{8}$/

/** Where the mails of a catcher with this directory are. */
export function mailFolder(directory: string): string {
  return join(directory, 'mails')
}

/** Stores a raw mail, whole and on disk before it returns, and gives its id. */
export async function storeMail(folder: string, raw: Buffer): Promise<string> {
  await makeDirectory(folder, 0o700)
  const time = new Date().toISOString().replace(/[-:.]/g, '')
  const id = `${time}-${randomBytes(4).toString('hex')}`
  const temporary = join(folder, `${id}.tmp`)
  try {
    await writeFile(temporary, raw, { flush: true, mode: 0o600 })
    await rename(temporary, fileOf(folder, id))
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  return id
}

/** Newest first; `before` is the id after which to go on. */
export async function listMails(
  folder: string,
  { limit = 100, before }: { limit?: number; before?: string | undefined } = {},
): Promise<MailSummary[]> {
  const ids = (await mailIds(folder)).filter(id => before === undefined || id < before)
  const mails = await Promise.all(ids.slice(0, limit).map(id => readMail(folder, id)))
  return mails
    .filter(mail => mail !== undefined)
    .map(({ id, receivedAt, from, to, subject }) => ({ id, receivedAt, from, to, subject }))
}

/** The newest mail's id, undefined when none was caught. */
export async function latestMail(folder: string): Promise<string | undefined> {
  return (await mailIds(folder))[0]
}

/** One mail taken apart, undefined when there is none with that id. */
export async function readMail(folder: string, id: string): Promise<CaughtMail | undefined> {
  const raw = await readRawMail(folder, id)
  if (raw === undefined) return undefined
  const mail = await PostalMime.parse(raw)
  return {
    id,
    receivedAt: timeOf(id),
    from: written(mail.from ? [mail.from] : []),
    to: written(mail.to ?? []),
    subject: mail.subject ?? '',
    text: mail.text ?? '',
    html: mail.html,
    attachments: mail.attachments.map(({ filename, mimeType, content }) => ({
      name: filename ?? 'unnamed',
      type: mimeType,
      bytes: typeof content === 'string' ? Buffer.byteLength(content) : content.byteLength,
    })),
  }
}

/** One mail as it came, undefined when there is none with that id. */
export async function readRawMail(folder: string, id: string): Promise<Buffer | undefined> {
  // The id comes from a URL or a command line: nothing else may become a path.
  if (!validId.test(id)) return undefined
  return readFile(fileOf(folder, id)).catch(() => undefined)
}

async function mailIds(folder: string): Promise<string[]> {
  const files = await readdir(folder).catch(() => [])
  const ids = files.filter(file => file.endsWith('.eml')).map(file => file.slice(0, -4))
  return ids
    .filter(id => validId.test(id))
    .sort()
    .reverse()
}

function fileOf(folder: string, id: string): string {
  return join(folder, `${id}.eml`)
}

function timeOf(id: string): string {
  return id.replace(/^(....)(..)(..T..)(..)(..)(...)Z.*/, '$1-$2-$3:$4:$5.$6Z')
}

function written(addresses: readonly Address[]): string {
  return addresses
    .map(({ name, address }) => (name && address ? `${name} <${address}>` : (address ?? name)))
    .join(', ')
}
