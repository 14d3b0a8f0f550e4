// A person's profile as they see it: every field, what stands of their address, and their roles.
import { type Customer, profileFields } from '../../../domain/customer/customer.ts'
import type { ApiContext } from '../../http/context.ts'

const emptyProfile = Object.fromEntries(Object.keys(profileFields).map(name => [name, null]))

type Registered = Extract<Customer, { status: 'registered' }>

/** Whether a person's address is confirmed, and which other one waits for that. */
export async function addressState({ accounts }: ApiContext, customerId: string) {
  const { isConfirmed = false, wanted } = (await accounts.addresses.stateOf(customerId)) ?? {}
  return { emailConfirmed: isConfirmed, pendingEmail: wanted ?? null }
}

/** The profile with what stands of its address. */
export function shownProfile(
  { customerId: id, username, roles, profile }: Registered,
  address: Awaited<ReturnType<typeof addressState>>,
) {
  return { ...emptyProfile, ...profile, ...address, id, username, roles }
}
