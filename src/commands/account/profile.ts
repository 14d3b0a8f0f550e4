// Changing one's profile, the address with which one signs in included.
import Type from 'typebox'
import { type Customer, type CustomerEvent, customer } from '../../domain/customer/customer.ts'
import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { secret } from '../../domain/kernel/text.ts'
import { strict } from '../../domain/kernel/types.ts'
import type { SessionServices } from '../../ports/accounts.ts'
import type { Codec } from '../../ports/codec.ts'
import { type EventStore, readStream, Unavailable } from '../../ports/eventStore.ts'
import type { App } from '../core/app.ts'
import { actorId, type Command } from '../core/command.ts'
import { changeProfile } from '../customer/customer.ts'
import { isEmail } from './credentials.ts'

const input = Type.Object(
  {
    ...changeProfile.input.properties,
    currentPassword: Type.Optional(secret(200, { description: 'Needed for another address' })),
  },
  strict,
)

/**
 * The command ChangeProfile as people use it. Another address is only noted: the account comes to
 * it when a link that is mailed there has been opened. The password has been checked before.
 */
export function profileChange(services: SessionServices): Command<typeof input> {
  const { accounts, addresses } = services
  return {
    ...changeProfile,
    input,
    async run(app, { currentPassword: _, email: given, ...rest }, envelope) {
      const customerId = actorId(envelope.actor) ?? ''
      const email = given === undefined ? undefined : plainEmail(given)
      if (email === undefined) return changeProfile.run(app, rest, envelope)
      if (!isEmail(email)) return invalidEmail()
      // The same address in other letters is confirmed or not as it was.
      if (!(await movesAccount(app, services, { customerId, email }))) {
        return changeProfile.run(app, { ...rest, email }, envelope)
      }
      const holder = await accounts.findByEmail(email)
      if (holder !== undefined && holder.customerId !== customerId) return emailTaken()
      const answer = await changeProfile.run(app, rest, envelope)
      if (isRejection(answer)) return answer
      const asked = { customerId, email, commandId: envelope.commandId }
      if (await addresses.ask(asked)) return answer
      const address = await addresses.stateOf(customerId)
      if (address?.wanted === email) return answer
      if (address?.moves) throw new Unavailable('another address has just been confirmed')
      return emailTaken()
    },
  }
}

interface AddressChange {
  customerId: string
  email: string
}

/** Whether a change of the profile would move the account to another address. */
export async function movesAccount(
  app: App,
  { accounts: { digestOf } }: SessionServices,
  { customerId, email }: AddressChange,
): Promise<boolean> {
  const before = await emailOf(app, customerId)
  return before === undefined || digestOf(email) !== digestOf(before)
}

/** The addresses of a customer before and after an event of their stream. */
export async function addressesAround(
  { eventStore, codec }: { eventStore: EventStore; codec: Codec },
  customerId: string,
  revision: number,
): Promise<{ before: string | undefined; after: string | undefined }> {
  let state = customer.initial
  let before: string | undefined
  const stream = `${customer.category}-${customerId}`
  for await (const recorded of readStream(eventStore, stream, { to: revision })) {
    before = addressOf(state)
    state = customer.evolve(state, await codec.decodeFor<CustomerEvent>(customer, recorded))
  }
  return { before, after: addressOf(state) }
}

function addressOf(state: Customer): string | undefined {
  return state.status === 'registered' ? state.profile.email : undefined
}

/** The address of a customer by the log. */
export async function emailOf(app: App, customerId: string): Promise<string | undefined> {
  const { state } = await app.customers.load(customerId)
  return addressOf(state)
}

function plainEmail(email: string): string {
  return email.trim().normalize('NFKC')
}

function invalidEmail() {
  const errors = [{ pointer: '/email', detail: 'Expected an email address.' }]
  return reject('account/invalid', 'Some of what was entered cannot be used.', { errors })
}

/** Refuses an address that another account has. */
export function emailTaken(): Rejection {
  return reject('account/email-taken', 'There is an account with this address.')
}
