// What the stock context adds to the application: its repositories and commands.
import { stock } from '../../domain/stock/stock.ts'
import type { Commands } from '../core/command.ts'
import { createRepository } from '../core/repository.ts'
import type { RepositoryParts } from '../core/repositoryTypes.ts'
import { adjustStock, countStock } from './stock.ts'

export const stockRepositories = (parts: RepositoryParts) => ({
  stock: createRepository(stock, parts),
})

export const stockCommands: Commands = [countStock, adjustStock]
