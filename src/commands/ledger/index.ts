// What the ledger context adds to the application: its repositories and commands.
import { ledgerImport } from '../../domain/ledger/ledgerImport.ts'
import type { Commands } from '../core/command.ts'
import { createRepository } from '../core/repository.ts'
import type { RepositoryParts } from '../core/repositoryTypes.ts'
import {
  bookOpeningStock,
  importCreditNote,
  importOrder,
  importProduct,
  importReturn,
  recordDocument,
} from './importLedger.ts'

export const ledgerRepositories = (parts: RepositoryParts) => ({
  ledgerImports: createRepository(ledgerImport, parts),
})

export const ledgerCommands: Commands = [
  importProduct,
  bookOpeningStock,
  importOrder,
  importReturn,
  importCreditNote,
  recordDocument,
]
