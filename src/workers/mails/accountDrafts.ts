// Mails about accounts: to whom they go, and what they are written from.
import type { AccountServices, MailSubject } from '../../commands/accountPorts.ts'
import type { Codec } from '../../commands/ports.ts'
import { addressesAround } from '../../commands/profile.ts'
import type { Shop } from '../../commands/shop.ts'
import type { EventStore } from '../../eventstore/port.ts'
import { type AccountLetter, composeAccountMail } from './composeAccountMail.ts'
import type { Draft, DraftFor, Finished } from './draft.ts'
import { isOrderTemplate } from './outbox.ts'
import { type Language, languageOf } from './words.ts'

export interface AccountDraftParts {
  shop: Shop
  eventStore: EventStore
  codec: Codec
  accounts: AccountServices
  shopName: string
  /** Where the customer's is not known. */
  language: Language
  /** The link to set a new password points here, whatever host a request has named. */
  resetPage: string
}

/** Drafts of mails about accounts. Throws Unavailable. */
export function accountDrafts(parts: AccountDraftParts): DraftFor {
  const { shop, accounts, shopName } = parts
  return async ({ event_id, template }) => {
    if (isOrderTemplate(template)) return undefined
    const subject = await accounts.recovery.subjectOf(event_id, template)
    if (subject === undefined) return undefined
    const { state } = await shop.customers.load(subject.customerId)
    if (state.status !== 'registered' || state.disabled) return undefined
    const { email, firstName, country } = state.profile
    const to = template === 'email-changed' ? await addressBefore(parts, subject) : email
    if (to?.includes('@') !== true) return undefined
    const letter: AccountLetter = {
      ...{ id: event_id, template, to, shopName, name: firstName ?? state.username },
      language: languageOf(country, parts.language),
    }
    const draft: Draft = {
      recipient: accounts.accounts.digestOf(to),
      isConfirmed: true,
      finish: () => finish(parts, subject, letter),
    }
    return draft
  }
}

/** The address before a change of the profile; undefined where the change left it alone. */
async function addressBefore(parts: AccountDraftParts, { customerId, revision }: MailSubject) {
  const { before, after } = await addressesAround(parts, customerId, revision ?? 0)
  return before === after ? undefined : before
}

async function finish(
  { accounts, resetPage: page }: AccountDraftParts,
  { customerId: uid }: MailSubject,
  letter: AccountLetter,
): Promise<Finished | undefined> {
  if (letter.template !== 'password-reset') return { mail: composeAccountMail(letter) }
  const { recovery } = accounts
  // Made now, so that it lies nowhere while the mail waits.
  const token = await recovery.issue(uid)
  if (token === undefined) return undefined
  const mail = composeAccountMail({ ...letter, link: { page, values: { uid, token } } })
  return { mail, undo: () => recovery.withdraw(token) }
}
