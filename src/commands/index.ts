// The contexts of the application: their repositories and commands.
import { cartCommands, cartRepositories } from './cart/index.ts'
import { catalogueCommands, catalogueRepositories } from './catalogue/index.ts'
import type { Repositories } from './core/app.ts'
import type { Commands } from './core/command.ts'
import type { RepositoryParts } from './core/repositoryTypes.ts'
import { customerCommands, customerRepositories } from './customer/index.ts'
import { ledgerCommands, ledgerRepositories } from './ledger/index.ts'
import { orderCommands, orderRepositories } from './order/index.ts'
import { stockCommands, stockRepositories } from './stock/index.ts'

/** A repository for each aggregate of the domain. */
export const createRepositories = (parts: RepositoryParts): Repositories => ({
  ...cartRepositories(parts),
  ...catalogueRepositories(parts),
  ...customerRepositories(parts),
  ...ledgerRepositories(parts),
  ...orderRepositories(parts),
  ...stockRepositories(parts),
})

export const commands: Commands = [
  ...cartCommands,
  ...catalogueCommands,
  ...customerCommands,
  ...ledgerCommands,
  ...orderCommands,
  ...stockCommands,
]
