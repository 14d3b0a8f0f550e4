// npm run mails: shows the mails that the local catcher kept, on the terminal.
import { parseArgs } from 'node:util'
import { readEnvironment } from '../src/config/config.ts'
import { latestMail, listMails, mailFolder, readMail } from './local/mailFiles.ts'
import { dataDirectoryOf } from './local/services.ts'

const usage = `Usage: npm run mails                     the newest 20 caught mails
       npm run mails -- list --limit 100  more of them
       npm run mails -- show latest       the newest one
       npm run mails -- show ID           the one with that id`

const folder = mailFolder(dataDirectoryOf(readEnvironment()))

try {
  console.log(await answer())
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function answer(): Promise<string> {
  const options = { help: { type: 'boolean', short: 'h' }, limit: { type: 'string' } } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const [verb = 'list', id = 'latest', ...rest] = positionals
  if (values.help) return usage
  const limit = Number(values.limit ?? 20)
  if (rest.length > 0) throw new Error(`there is no argument ${rest[0]} (--help shows how)`)
  if (!Number.isInteger(limit) || limit < 1) {
    throw new Error('--limit takes a whole number from 1 (--help shows how)')
  }
  if (verb === 'list') return list(limit)
  if (verb === 'show') return show(id)
  throw new Error(`${verb} is neither list nor show (--help shows how)`)
}

async function list(limit: number): Promise<string> {
  const mails = await listMails(folder, { limit })
  if (mails.length === 0) return `No mails in ${folder}`
  return mails
    .map(({ id, to, subject }) => printable(`${id}  ${to}\n    ${subject || '(no subject)'}`))
    .join('\n')
}

async function show(query: string): Promise<string> {
  const id = query === 'latest' ? await latestMail(folder) : query
  const mail = id === undefined ? undefined : await readMail(folder, id)
  if (mail === undefined) throw new Error(`No mail ${query} in ${folder}`)
  const { from, to, subject, receivedAt, text, html, attachments } = mail
  const files = attachments.map(
    ({ name, type, bytes }) => `Attached: ${name} (${type}, ${bytes} bytes)`,
  )
  const head = [`From:     ${from}`, `To:       ${to}`, `Received: ${receivedAt}`, ...files]
  return printable([`Subject:  ${subject}`, ...head, '', text || html || '(empty)'].join('\n'))
}

// A mail must not be able to steer the terminal.
function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, '')
}
