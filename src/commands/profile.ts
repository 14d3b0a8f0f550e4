// Changing one's profile, the address with which one signs in included.
import { type Customer, type CustomerEvent, customer } from '../domain/customer.ts'
import { reject } from '../domain/rejection.ts'
import type { EventStore } from '../eventstore/port.ts'
import type { AccountServices, SessionServices } from './accountPorts.ts'
import { actorId, type Command } from './command.ts'
import { isEmail } from './credentials.ts'
import { changeProfile } from './customer.ts'
import type { Codec } from './ports.ts'
import type { Shop } from './shop.ts'

/**
 * The command ChangeProfile, with which an account comes to another address as well: the address is
 * claimed before it is recorded; what the log says then is what the account gets. The mail to the
 * address before follows from the event.
 */
export function profileChange({ accounts }: SessionServices): Command<typeof changeProfile.input> {
  return {
    ...changeProfile,
    async run(shop, input, envelope) {
      if (input.email === undefined) return changeProfile.run(shop, input, envelope)
      const customerId = actorId(envelope.actor) ?? ''
      const before = await emailOf(shop, customerId)
      const email = plainEmail(input.email)
      if (!isEmail(email)) return invalidEmail()
      if (email !== before && !(await accounts.changeEmail(customerId, email))) {
        return reject('account/email-taken', 'There is an account with this address.')
      }
      // If this process dies from here on, or the store does not answer, a worker settles it.
      const answer = await changeProfile.run(shop, { ...input, email }, envelope)
      if (email !== before) await settleAddress(shop, accounts, customerId)
      return answer
    },
  }
}

/** Gives an account the address that the log has. Throws Unavailable. */
export async function settleAddress(
  shop: Shop,
  accounts: AccountServices['accounts'],
  customerId: string,
): Promise<void> {
  const email = await emailOf(shop, customerId)
  if (email !== undefined) await accounts.settleEmail(customerId, email)
}

/** Whether a change of the profile would move the account to another address. */
export async function movesAccount(shop: Shop, customerId: string, email: string) {
  return plainEmail(email) !== (await emailOf(shop, customerId))
}

/** The addresses that somebody had before and after an event of their stream. */
export async function addressesAround(
  { eventStore, codec }: { eventStore: EventStore; codec: Codec },
  customerId: string,
  revision: number,
): Promise<{ before: string | undefined; after: string | undefined }> {
  let state = customer.initial
  let before: string | undefined
  const stream = `${customer.category}-${customerId}`
  for await (const recorded of eventStore.readStream(stream, { to: revision })) {
    before = addressOf(state)
    state = customer.evolve(state, await codec.decodeFor<CustomerEvent>(customer, recorded))
  }
  return { before, after: addressOf(state) }
}

function addressOf(state: Customer): string | undefined {
  return state.status === 'registered' ? state.profile.email : undefined
}

async function emailOf(shop: Shop, customerId: string): Promise<string | undefined> {
  const { state } = await shop.customers.load(customerId)
  return addressOf(state)
}

function plainEmail(email: string): string {
  return email.trim().normalize('NFKC')
}

function invalidEmail() {
  const errors = [{ pointer: '/email', detail: 'Expected an email address.' }]
  return reject('account/invalid', 'Some of what was entered cannot be used.', { errors })
}
