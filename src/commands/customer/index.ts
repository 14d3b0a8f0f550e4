// What the customer context adds to the application: its repositories and commands.
import { customer } from '../../domain/customer/customer.ts'
import type { Commands } from '../core/command.ts'
import { createRepository } from '../core/repository.ts'
import type { RepositoryParts } from '../core/repositoryTypes.ts'
import {
  changeProfile,
  changeUser,
  eraseCustomer,
  grantRole,
  moveAddress,
  notePassword,
  registerCustomer,
  revokeRole,
} from './customer.ts'

export const customerRepositories = (parts: RepositoryParts) => ({
  customers: createRepository(customer, parts),
})

export const customerCommands: Commands = [
  registerCustomer,
  changeProfile,
  moveAddress,
  grantRole,
  revokeRole,
  changeUser,
  notePassword,
  eraseCustomer,
]
