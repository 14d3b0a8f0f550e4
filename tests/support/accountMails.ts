// What was mailed about accounts, as its addressee reads it.
import { caughtMails } from './caughtMails.ts'
import type { Person, TestApp } from './testApp.ts'
import { waitFor } from './waitFor.ts'

/** The mails to somebody whose subject begins so, the oldest first. */
export async function mailsTo(app: TestApp, { email }: { email: string }, subject: string) {
  const all = await caughtMails(app.mailFolder)
  return all.filter(mail => mail.to.includes(email) && mail.subject.startsWith(subject))
}

export interface ResetLink {
  link: URL
  uid: string
  token: string
}

/** Asks for a reset, and waits for the mail that is the `count`th to this person. */
export async function resetLink(app: TestApp, person: Person, count = 1): Promise<ResetLink> {
  await app.anyone.post('/auth/password/reset', { email: person.email })
  const mail = await waitFor('the mail with the link', async () => {
    const mails = await mailsTo(app, person, 'Set a new password')
    return mails[count - 1]
  })
  const link = new URL(/http\S+/.exec(mail.text)?.[0] ?? '')
  const values = new URLSearchParams(link.hash.slice(1))
  return { link, uid: values.get('uid') ?? '', token: values.get('token') ?? '' }
}

/** The token of the `count`th link that was mailed to an address to confirm it. */
export async function confirmToken(app: TestApp, email: string, count = 1): Promise<string> {
  const mail = await waitFor(
    'the mail to confirm the address',
    async () => (await mailsTo(app, { email }, 'Confirm your address'))[count - 1],
    20_000,
  )
  const link = new URL(/http\S+/.exec(mail.text)?.[0] ?? '')
  return new URLSearchParams(link.hash.slice(1)).get('token') ?? ''
}

/** Opens that link. */
export async function confirmAddress(app: TestApp, email: string, count = 1) {
  const token = await confirmToken(app, email, count)
  return app.anyone.post('/auth/email/confirm', { token })
}
