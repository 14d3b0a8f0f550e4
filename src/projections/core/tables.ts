// The tables that the query builder knows: times and big numbers as the driver gives them.

import type { Generated, JSONColumnType } from 'kysely'
import type { CartLine } from '../../domain/cart/cart.ts'
import type { ShownImage } from '../../domain/catalogue/image.ts'
import type { Profile } from '../../domain/customer/customer.ts'
import type { Actor, Money, Role } from '../../domain/kernel/types.ts'
import type { DisputeOutcome, DisputeStage } from '../../domain/order/disputes.ts'
import type { Charge, Delivery, OrderLine } from '../../domain/order/order.ts'
import type { OrderStatus } from '../../domain/order/orderStates.ts'
import type { Position } from '../../kit/position.ts'

export interface Tables {
  products: {
    product_id: string
    sku: string
    name: string
    description: string
    price_minor: bigint
    currency: string
    category_id: string | null
    featured: boolean
    active: boolean
    deleted: boolean
    images: JSONColumnType<ShownImage[]>
    on_hand: bigint
    reserved: bigint
    revision: bigint
    created_at: Date
    updated_at: Date
  }
  categories: {
    category_id: string
    name: string
    description: string
    active: boolean
    deleted: boolean
    image: JSONColumnType<ShownImage | null>
    revision: bigint
    created_at: Date
    updated_at: Date
  }
  product_words: {
    word: string
  }
  price_changes: {
    position: Position
    product_id: string
    price_minor: bigint
    currency: string
    actor: string
    at: Date
  }
  carts: {
    cart_id: string
    customer_id: string | null
    lines: JSONColumnType<CartLine[]>
    revision: bigint
    updated_at: Date
  }
  orders: {
    order_id: string
    order_number: string
    customer_id: string
    status: OrderStatus
    lines: JSONColumnType<OrderLine[]>
    charges: JSONColumnType<Charge[]>
    total_minor: bigint
    captured_minor: bigint
    refunded_minor: bigint
    currency: string
    country: string | null
    delivery: JSONColumnType<Delivery | null>
    payment_method: string
    tracking: string | null
    timeline: JSONColumnType<TimelineEntry[]>
    refunds: JSONColumnType<RefundEntry[]>
    expires_at: Date | null
    archived: boolean
    revision: bigint
    placed_at: Date
    updated_at: Date
  }
  notifications: {
    position: Position
    customer_id: string
    order_id: string
    order_number: string
    status: OrderStatus
    previous_status: OrderStatus
    tracking: string | null
    at: Date
  }
  disputes: {
    dispute_id: string
    order_id: string
    payment_id: string
    provider: string
    reference: string
    amount_minor: bigint
    currency: string
    reason: string
    state: DisputeState
    due_by: Date | null
    opened_at: Date
    updated_at: Date
  }
  customers: {
    customer_id: string
    username: string
    profile: JSONColumnType<Profile>
    roles: Role[]
    disabled: boolean
    erased: boolean
    revision: bigint
    registered_at: Date
    updated_at: Date
  }
  stock_movements: {
    position: Position
    product_id: string
    kind: string
    on_hand_delta: bigint
    reserved_delta: bigint
    reason: string
    note: string | null
    order_id: string | null
    actor: string
    at: Date
  }
  sale_lines: {
    document_id: string
    line: number
    order_id: string | null
    source_id: string
    kind: string
    product_id: string | null
    sku: string
    name: string
    customer_id: string
    country: string | null
    category_id: string | null
    quantity: bigint
    amount_minor: bigint
    currency: string
    sold_at: Date | null
  }
  sale_categories: {
    product_id: string
    category_id: string | null
  }
  sale_names: {
    sku: string
    name: string
  }
  sale_totals: {
    dimension: string
    key: string
    currency: string
    starts_at: Date
    lines: bigint
    orders: bigint
    quantity: bigint
    gross_minor: bigint
    returned_minor: bigint
  }
  order_processes: {
    order_id: string
    since: Date
    submitted: boolean
    paying: boolean
    refund_due: boolean
    cart_open: boolean
    stock: string[]
    settling: boolean
    expires_at: Date | null
    open_money: string[]
  }
  event_index: {
    position: Position
    stream: string
    revision: bigint
    type: string
    actor: string
    correlation_id: string
    at: Date
  }
  'shop.checkpoints': {
    name: string
    version: number | null
    position: Position
    runner: string | null
    epoch: bigint
    leased_until: Date | null
    updated_at: Generated<Date>
  }
  'shop.parked_events': {
    name: string
    position: Position
    stream: string
    type: string
    error: string
    awaits: string | null
    parked_at: Generated<Date>
  }
  'shop.image_jobs': {
    hash: string
    requested_by: Generated<string>
    queued_at: Generated<Date>
    made_at: Date | null
    attempts: Generated<number>
    last_error: string | null
  }
  'shop.mails': {
    event_id: string
    template: string
    order_id: string | null
    mail_id: Generated<string>
    state: Generated<'due' | 'retrying' | 'undeliverable' | 'sent' | 'dropped'>
    due_at: Generated<Date>
    failed_since: Date | null
    claimed_by: string | null
    account: Generated<boolean>
    customer_id: string | null
    email_digest: string | null
    revision: number | null
    recipient: string | null
    queued_at: Generated<Date>
    sent_at: Date | null
    attempts: Generated<number>
    last_error: string | null
    trace: string | null
    claimed_until: Date | null
  }
  'shop.payment_findings': {
    finding_id: string
    provider: string
    kind: 'payment' | 'refund' | 'dispute' | 'unreadable'
    reference: string
    problem: string
    detail: string
    order_id: string | null
    payment_id: string | null
    amount_minor: bigint | null
    currency: string | null
    found_at: Generated<Date>
    resolved_at: Date | null
    resolved_by: string | null
  }
  'shop.webhook_deliveries': {
    delivery_id: Generated<string>
    endpoint_id: string
    event_id: string
    position: Position
    type: string
    message: JSONColumnType<object>
    body: string | null
    trace: string
    status: Generated<'pending' | 'delivered' | 'dead'>
    attempts: Generated<number>
    tries: Generated<number>
    due_at: Generated<Date>
    last_status: number | null
    last_error: string | null
    created_at: Generated<Date>
    updated_at: Generated<Date>
    delivered_at: Date | null
  }
}

export type DisputeState = DisputeStage | DisputeOutcome
export interface RefundEntry {
  refundId: string
  amount: Money
  /** Asked for, paid back, or it did not arrive. */
  state: 'open' | 'paid' | 'failed'
  /** In whose dashboard it was made; null where the shop has made it. */
  provider: string | null
  at: string
}

export interface TimelineEntry {
  event: string
  status: OrderStatus
  at: string
  by: Actor['role']
}
