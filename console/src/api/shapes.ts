// The shapes of the API's answers, as the schemas have them from which its documentation is made.
import type { Static } from 'typebox'
import type {
  Event as EventSchema,
  StateChange as StateSchema,
  Verification as VerificationSchema,
} from '../../../src/api/routes/audit/auditSchemas.ts'
import type {
  Category as CategorySchema,
  PriceHistory as PriceSchema,
  ProductDetail as ProductSchema,
  StockLedger as StockSchema,
} from '../../../src/api/routes/catalogue/catalogueSchemas.ts'
import type { Mail as MailSchema } from '../../../src/api/routes/operations/mailSchemas.ts'
import type {
  OrderHistory as HistorySchema,
  OrderDetail as OrderSchema,
} from '../../../src/api/routes/order/orderSchemas.ts'
import type {
  ListedDispute as DisputeSchema,
  PaymentFinding as FindingSchema,
} from '../../../src/api/routes/order/paymentSchemas.ts'
import type { Role } from '../../../src/domain/kernel/types.ts'

/** Records that are edited carry the version that was read. */
interface Versioned {
  etag?: string
}

export type Product = Static<typeof ProductSchema> & Versioned
export type Stock = Static<typeof StockSchema>
export type Prices = Static<typeof PriceSchema>
export type Category = Static<typeof CategorySchema> & Versioned
export type Mail = Static<typeof MailSchema>
export type Dispute = Static<typeof DisputeSchema>
export type PaymentFinding = Static<typeof FindingSchema>
export type Order = Static<typeof OrderSchema>
export type History = Static<typeof HistorySchema>
export type AuditEvent = Static<typeof EventSchema>
export type Verification = Static<typeof VerificationSchema>
export type StateDiff = Static<typeof StateSchema>
export type Money = Order['total']

export interface User extends Versioned {
  id: string
  username: string
  email: string | null
  firstName: string | null
  lastName: string | null
  roles: Role[]
  disabled: boolean
  erased: boolean
  revision: number
  registeredAt: string
  updatedAt: string
}

export interface ProductImport {
  id: string
  status: string
  format: string
  dryRun: boolean
  problem: string | null
  rows: number | null
  created: number
  changed: number
  unchanged: number
  refused: number
  errorCount: number
  progress: number
  requestedAt: string
  finishedAt: string | null
  errors?: { line: number; pointer: string; detail: string }[]
  undone?: number
  kept?: number
  keptRows?: { line: number; productId: string; sku: string; why: string }[]
}

export interface Projection {
  name: string
  version: number
  position: string
  head: string
  /** `events` where the event store can tell. */
  lag: { seconds: number; events?: number }
  runner: string | null
  parked: number
  /** What only reacts has no tables of its own that could be made anew. */
  rebuildable: boolean
  rebuild: Rebuild | null
}

export interface OrderUpdate {
  type: 'order_update'
  position: string
  orderId: string
  orderNumber: string
  status: string
  previousStatus: string | null
  message: string
  at: string
}

interface DifferingRow {
  /** Only in the old table, only in the new one, or in both. */
  kind: 'extra' | 'missing' | 'different'
  key: string
}

export interface Rebuild {
  name: string
  state: 'requested' | 'running' | 'done' | 'failed'
  version: number
  progress: number
  matches: boolean | null
  differences: readonly { table: string; first: readonly DifferingRow[] }[] | null
  /** Streams that it reads and of which events are missing. */
  brokenStreams: {
    count: number
    first: readonly { stream: string; fault: string }[]
  } | null
  error: string | null
  startedAt: string
  updatedAt: string
}

export type Step = History['data'][number]
