// What the ledger context adds to the domain: its aggregates, by the name of their repository.
import { ledgerImport } from './ledgerImport.ts'

export const ledgerAggregates = { ledgerImports: ledgerImport }
