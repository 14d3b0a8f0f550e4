// What was mailed about accounts, as its addressee reads it.
import { caughtMails } from './caughtMails.ts'
import type { Person, TestShop } from './testShop.ts'
import { waitFor } from './waitFor.ts'

/** The mails to somebody whose subject begins so, the oldest first. */
export async function mailsTo(shop: TestShop, { email }: { email: string }, subject: string) {
  const all = await caughtMails(shop.mailFolder)
  return all.filter(mail => mail.to.includes(email) && mail.subject.startsWith(subject))
}

export interface ResetLink {
  link: URL
  uid: string
  token: string
}

/** Asks for a reset, and waits for the mail that is the `count`th to this person. */
export async function resetLink(shop: TestShop, person: Person, count = 1): Promise<ResetLink> {
  await shop.anyone.post('/auth/password/reset', { email: person.email })
  const mail = await waitFor('the mail with the link', async () => {
    const mails = await mailsTo(shop, person, 'Set a new password')
    return mails[count - 1]
  })
  const link = new URL(/http\S+/.exec(mail.text)?.[0] ?? '')
  const values = new URLSearchParams(link.hash.slice(1))
  return { link, uid: values.get('uid') ?? '', token: values.get('token') ?? '' }
}

/** The token of the `count`th link that was mailed to an address to confirm it. */
export async function confirmToken(shop: TestShop, email: string, count = 1): Promise<string> {
  const mail = await waitFor(
    'the mail to confirm the address',
    async () => (await mailsTo(shop, { email }, 'Confirm your address'))[count - 1],
    20_000,
  )
  const link = new URL(/http\S+/.exec(mail.text)?.[0] ?? '')
  return new URLSearchParams(link.hash.slice(1)).get('token') ?? ''
}

/** Opens that link. */
export async function confirmAddress(shop: TestShop, email: string, count = 1) {
  const token = await confirmToken(shop, email, count)
  return shop.anyone.post('/auth/email/confirm', { token })
}
