// The mails that a test shop has sent, as its catcher kept them.
import { listMails, readMail, readRawMail } from '../../tools/local/mailFiles.ts'

export interface Caught {
  to: string
  subject: string
  text: string
  html: string
  /** The whole mail, as it came. */
  raw: string
  messageId: string
  /** Whom the server was told to deliver to, whatever the header says. */
  deliveredTo: string[]
}

/** Every mail in a folder, the oldest first. */
export async function caughtMails(folder: string): Promise<Caught[]> {
  const mails = await listMails(folder, { limit: 10_000 })
  const caught = await Promise.all(mails.map(({ id }) => caughtMail(folder, id)))
  return caught.reverse()
}

async function caughtMail(folder: string, id: string): Promise<Caught> {
  const mail = await readMail(folder, id)
  const raw = String(await readRawMail(folder, id))
  return {
    to: mail?.to ?? '',
    subject: mail?.subject ?? '',
    text: mail?.text ?? '',
    html: mail?.html ?? '',
    raw,
    messageId: /^Message-ID:\s+<(.*)>/im.exec(raw)?.[1] ?? '',
    deliveredTo: [...raw.matchAll(/^Delivered-To: (.*)\r$/gm)].map(match => match[1] ?? ''),
  }
}
