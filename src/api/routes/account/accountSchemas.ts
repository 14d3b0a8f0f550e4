// The shapes of responses about accounts, made of what the domain knows of a customer.
import Type from 'typebox'
import { CustomerEvents, profileFields } from '../../../domain/customer/customer.ts'
import { Id, Role, strict } from '../../../domain/kernel/types.ts'
import { many, nullable, Position, text } from '../../http/schemas.ts'

const { username } = CustomerEvents.CustomerRegistered.properties

export const userFields = {
  id: Id,
  username,
  email: nullable(profileFields.email),
  firstName: nullable(profileFields.firstName),
  lastName: nullable(profileFields.lastName),
  roles: many(Role, 10),
}
const User = Type.Object(userFields, strict)
const TokenPair = Type.Object({ access: text(4_096), refresh: text(200) }, strict)
export const SignedIn = Type.Object(
  { user: User, tokens: TokenPair, position: Type.Optional(Position) },
  strict,
)

const profile = Object.entries(profileFields).map(([name, field]) => [name, nullable(field)])
export const Profile = Type.Object(
  {
    id: Id,
    username,
    ...Object.fromEntries(profile),
    emailConfirmed: Type.Boolean({ description: 'Whether its owner has opened the mailed link' }),
    pendingEmail: nullable(profileFields.email),
    roles: many(Role, 10),
  },
  strict,
)
