// The events of an order as the log keeps them, and what they are made of.
import Type, { type Static } from 'typebox'
import {
  Country,
  Id,
  Moment,
  Money,
  ownerOfStream,
  Payload,
  Personal,
  Quantity,
  ShortText,
  Sku,
  strict,
} from '../kernel/types.ts'

export const OrderLine = Type.Object(
  {
    productId: Id,
    sku: Sku,
    name: ShortText,
    quantity: Quantity,
    unitPrice: Money,
    total: Money,
  },
  strict,
)
export type OrderLine = Static<typeof OrderLine>
const Lines = Type.Array(OrderLine, { maxItems: 5_000 })

/** Money without goods: postage, a fee. */
export const Charge = Type.Object({ code: Sku, name: ShortText, amount: Money }, strict)
export type Charge = Static<typeof Charge>
const Charges = Type.Array(Charge, { maxItems: 5_000 })

export const Delivery = Type.Object(
  {
    shippingAddress: Personal({ maxLength: 1_000 }),
    phoneNumber: Personal({ maxLength: 40 }),
  },
  strict,
)
export type Delivery = Static<typeof Delivery>

const payment = { orderId: Id, paymentId: Id }

export const disputeStages = ['inquiry', 'needs_response', 'under_review'] as const
export const disputeOutcomes = ['won', 'lost', 'dropped'] as const
const dispute = { orderId: Id, disputeId: Id }
const DisputeStage = Type.Enum([...disputeStages])
const DueBy = Type.Union([Moment, Type.Null()])

// Free text about an order may name its customer, and is sealed with the key of that customer.
const Reason = Personal({ minLength: 1, maxLength: 500 })
const Note = Personal({ minLength: 1, maxLength: 200 })
/** The payment provider in whose dashboard a refund was made. */
const MadeAt = Type.Optional(ShortText)
const ofCustomer = { subject: ownerOfStream }

// Names and payloads are the storage format: they are versioned, never renamed.
export const OrderEvents = {
  OrderSubmitted: Payload(
    {
      orderId: Id,
      orderNumber: Type.String({ minLength: 1, maxLength: 40 }),
      customerId: Id,
      cartId: Type.Union([Id, Type.Null()]),
      lines: Lines,
      charges: Charges,
      total: Money,
      country: Type.Union([Country, Type.Null()]),
      delivery: Type.Union([Delivery, Type.Null()]),
      paymentMethod: Type.String({ minLength: 1, maxLength: 40 }),
    },
    { subject: 'customerId' },
  ),
  OrderPlaced: Payload({ orderId: Id }),
  /** Until when it waits to be paid; orders without one wait for ever. */
  PaymentDeadlineSet: Payload({ orderId: Id, expiresAt: Moment }),
  OrderExpired: Payload({ orderId: Id }),
  OrderRejected: Payload({
    orderId: Id,
    short: Type.Array(Type.Object({ productId: Id, sku: Sku, wanted: Quantity }), {
      maxItems: 5_000,
    }),
  }),
  /** `country` where it is another one, `reason` where the staff did it. */
  DeliveryDetailsChanged: Payload(
    {
      orderId: Id,
      customerId: Id,
      delivery: Delivery,
      country: Type.Optional(Country),
      reason: Type.Optional(Reason),
    },
    { subject: 'customerId' },
  ),
  PaymentRequested: Payload({ ...payment, provider: ShortText, method: ShortText, amount: Money }),
  OrderPaid: Payload({ ...payment, provider: ShortText, reference: ShortText, amount: Money }),
  PaymentFailed: Payload({ ...payment, reason: Reason }, ofCustomer),
  /** Money that came when the order could not take it: expired, cancelled or paid by then. */
  LatePaymentReceived: Payload({
    ...payment,
    provider: ShortText,
    reference: ShortText,
    amount: Money,
  }),
  LatePaymentRefused: Payload(
    { ...payment, refundId: Id, amount: Money, reason: Reason },
    ofCustomer,
  ),
  LatePaymentReturned: Payload({ ...payment, refundId: Id, amount: Money }),
  /** `tracking` is null where the carrier gives no number. Version 1 left it out then. */
  OrderShipped: Payload(
    { orderId: Id, tracking: Type.Union([Note, Type.Null()]) },
    { ...ofCustomer, version: 2 },
  ),
  /** The first tracking number was wrong, or there was none. */
  TrackingChanged: Payload({ orderId: Id, tracking: Note }, ofCustomer),
  OrderDelivered: Payload({ orderId: Id }),
  /** `refund` is what has to be paid back: the capture of a paid order. */
  OrderCancelled: Payload(
    { orderId: Id, reason: Reason, refund: Type.Union([Money, Type.Null()]) },
    ofCustomer,
  ),
  /** Counts against what can be paid back before the provider is asked. */
  RefundRequested: Payload(
    { orderId: Id, refundId: Id, amount: Money, reason: Reason, provider: MadeAt },
    ofCustomer,
  ),
  /** `reference` comes from the person who has paid it back, or from the provider. */
  OrderRefunded: Payload(
    {
      orderId: Id,
      refundId: Id,
      amount: Money,
      reason: Reason,
      reference: Type.Optional(Note),
      provider: MadeAt,
    },
    ofCustomer,
  ),
  RefundFailed: Payload({ orderId: Id, refundId: Id, reason: Reason }, ofCustomer),
  /** A recorded refund did not arrive: the provider has the money again, and says why. */
  RefundReversed: Payload({ orderId: Id, refundId: Id, amount: Money, reason: ShortText }),
  /**
   * A customer disputes a payment with their bank; `inquiry`: the bank only asks. `asOf` is the
   * provider's moment, which orders its reports. `reason` is the provider's code.
   */
  DisputeOpened: Payload({
    ...dispute,
    paymentId: Id,
    provider: ShortText,
    reference: ShortText,
    amount: Money,
    reason: ShortText,
    stage: DisputeStage,
    dueBy: DueBy,
    asOf: Moment,
  }),
  DisputeChanged: Payload({
    ...dispute,
    amount: Money,
    stage: DisputeStage,
    dueBy: DueBy,
    asOf: Moment,
  }),
  /** `lost`: the money is gone. `dropped`: it never was taken. An appeal can change the outcome. */
  DisputeClosed: Payload({
    ...dispute,
    amount: Money,
    outcome: Type.Enum([...disputeOutcomes]),
    asOf: Moment,
  }),
  /** Gone from lists, kept in the log. */
  OrderArchived: Payload({ orderId: Id }),
  /** Goods that came back, at the price they were sold for. */
  ItemsReturned: Payload({
    orderId: Id,
    returnId: Id,
    reference: ShortText,
    lines: Lines,
    charges: Charges,
    amount: Money,
  }),
}
