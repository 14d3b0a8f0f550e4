// The shapes of answers about accounts.
import Type from 'typebox'
import { Id, Role, strict } from '../../../domain/kernel/types.ts'
import { many, nullable, Position, text } from '../../http/schemas.ts'

export const User = Type.Object(
  {
    id: Id,
    username: text(150),
    email: nullable(text(254)),
    firstName: nullable(text(100)),
    lastName: nullable(text(100)),
    roles: many(Role, 10),
  },
  strict,
)

export const TokenPair = Type.Object({ access: text(4_096), refresh: text(200) }, strict)

export const SignedIn = Type.Object(
  { user: User, tokens: TokenPair, position: Type.Optional(Position) },
  strict,
)
export const Profile = Type.Object(
  {
    id: Id,
    username: text(150),
    email: nullable(text(254)),
    /** Whether its owner has opened the link that was mailed to it. */
    emailConfirmed: Type.Boolean(),
    /** The address that takes its place once it is confirmed. */
    pendingEmail: nullable(text(254)),
    firstName: nullable(text(100)),
    lastName: nullable(text(100)),
    phoneNumber: nullable(text(40)),
    dateOfBirth: nullable(text(10)),
    address: nullable(text(500)),
    city: nullable(text(100)),
    postalCode: nullable(text(20)),
    country: nullable(text(60)),
    roles: many(Role, 10),
  },
  strict,
)
