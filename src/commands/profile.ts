// Changing one's profile, the address with which one signs in included.
import { type CustomerEvent, customer } from '../domain/customer.ts'
import { isRejection, reject } from '../domain/rejection.ts'
import type { EventStore } from '../eventstore/port.ts'
import type { AccountServices } from './accountPorts.ts'
import { actorId, type Command } from './command.ts'
import { isEmail } from './credentials.ts'
import { changeProfile } from './customer.ts'
import type { Codec } from './ports.ts'
import type { Shop } from './shop.ts'

/**
 * The command ChangeProfile, with which an account comes to another address as well: the address is
 * claimed before it is recorded, and given back when it is not recorded after all.
 */
export function profileChange({
  accounts,
  recovery,
}: AccountServices): Command<typeof changeProfile.input> {
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
      const answer = await changeProfile.run(shop, { ...input, email }, envelope)
      if (isRejection(answer) && before !== undefined && before !== email) {
        await accounts.changeEmail(customerId, before)
      }
      if (!isRejection(answer) && before !== undefined && before !== email) {
        await recovery.tellMoved(customerId, answer.revision)
      }
      return answer
    },
  }
}

/** Whether a change of the profile would move the account to another address. */
export async function movesAccount(shop: Shop, customerId: string, email: string) {
  return plainEmail(email) !== (await emailOf(shop, customerId))
}

/** The address that somebody had before a change of their profile. */
export async function addressBefore(
  { eventStore, codec }: { eventStore: EventStore; codec: Codec },
  customerId: string,
  revision: number,
): Promise<string | undefined> {
  let state = customer.initial
  const stream = `${customer.category}-${customerId}`
  for await (const recorded of eventStore.readStream(stream, { to: revision - 1 })) {
    state = customer.evolve(state, await codec.decodeFor<CustomerEvent>(customer, recorded))
  }
  return state.status === 'registered' ? state.profile.email : undefined
}

async function emailOf(shop: Shop, customerId: string): Promise<string | undefined> {
  const { state } = await shop.customers.load(customerId)
  return state.status === 'registered' ? state.profile.email : undefined
}

function plainEmail(email: string): string {
  return email.trim().normalize('NFKC')
}

function invalidEmail() {
  const errors = [{ pointer: '/email', detail: 'Expected an email address.' }]
  return reject('account/invalid', 'Some of what was entered cannot be used.', { errors })
}
