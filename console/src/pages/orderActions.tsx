// The actions that the API allows on an order, each with a confirmation.
import { Alert, Button, Checkbox, FormControlLabel, TextField } from '@mui/material'
import { type ComponentType, useState } from 'react'
import { useCanAccess, usePermissions, useRedirect } from 'react-admin'
import type { Role } from '../../../src/domain/kernel/types.ts'
import { allowedTransitions, type OrderStatus } from '../../../src/domain/order/orderStates.ts'
import { ask } from '../api/request.ts'
import type { Money, Order } from '../api/shapes.ts'
import { formatMoney, readMoney, typedMoney } from '../money.ts'
import { AskDialog } from '../parts/ask.tsx'
import { ReasonField } from '../parts/reasonField.tsx'
import { DeliveryDialog } from './deliveryDialog.tsx'

interface StepProps {
  order: Order
  close(): void
}

/** Statuses that an order no longer leaves, so that it may be put away. */
const finished = ['delivered', 'cancelled', 'expired', 'rejected', 'refunded']

export function OrderActions({ order }: { order: Order }) {
  const [open, setOpen] = useState<string>()
  const mayCancel = useCanAccess({ resource: 'orders', action: 'cancel' }).canAccess
  const mayRefund = useCanAccess({ resource: 'orders', action: 'refund' }).canAccess
  const mayArchive = useCanAccess({ resource: 'orders', action: 'delete' }).canAccess
  const mayDeliver = useCanAccess({ resource: 'orders', action: 'deliver' }).canAccess
  const next = useNextStatuses(order)
  const steps: Record<
    string,
    { label: string; isShown: boolean; Dialog: ComponentType<StepProps> }
  > = {
    paid: { label: 'Mark as paid', isShown: next.includes('paid'), Dialog: PaidDialog },
    shipped: { label: 'Ship', isShown: next.includes('shipped'), Dialog: ShipDialog },
    tracking: {
      label: order.trackingNumber === null ? 'Add tracking number' : 'Correct tracking number',
      isShown: order.status === 'shipped' && mayDeliver === true,
      Dialog: ShipDialog,
    },
    delivery: {
      label: 'Change delivery',
      isShown: mayDeliver === true && ['pending', 'paid'].includes(order.status),
      Dialog: DeliveryDialog,
    },
    delivered: {
      label: 'Mark as delivered',
      isShown: next.includes('delivered'),
      Dialog: DeliveredDialog,
    },
    refunded: {
      label: 'Refund',
      isShown: mayRefund === true && leftToRefund(order) > 0,
      Dialog: RefundDialog,
    },
    cancelled: {
      label: 'Cancel order',
      isShown: mayCancel === true && next.includes('cancelled'),
      Dialog: CancelDialog,
    },
    archived: {
      label: 'Archive',
      isShown: mayArchive === true && finished.includes(order.status),
      Dialog: ArchiveDialog,
    },
  }
  const Dialog = open === undefined ? undefined : steps[open]?.Dialog
  return (
    <>
      {Object.entries(steps).map(([name, { label, isShown }]) =>
        isShown ? (
          <Button
            key={name}
            variant={name === 'shipped' || name === 'delivered' ? 'contained' : 'outlined'}
            color={name === 'cancelled' ? 'error' : 'primary'}
            onClick={() => setOpen(name)}
          >
            {label}
          </Button>
        ) : null,
      )}
      {Dialog && <Dialog order={order} close={() => setOpen(undefined)} />}
    </>
  )
}

/** The actions that the order and the roles of the user allow. */
function useNextStatuses({ status, allowedTransitions: possible }: Order): OrderStatus[] {
  const { permissions: roles = [] } = usePermissions<Role[]>()
  const own = roles.flatMap(role => allowedTransitions(status, role))
  return possible.filter(next => own.includes(next))
}

function moveOrder(order: Order, status: string, more: object = {}) {
  return (key: string) =>
    ask(`/orders/${order.id}/status`, { method: 'PATCH', key, body: { status, ...more } })
}

function PaidDialog({ order, close }: StepProps) {
  return (
    <AskDialog
      title={`Mark ${order.orderNumber} as paid?`}
      verb="Mark as paid"
      done="The order is paid"
      send={moveOrder(order, 'paid')}
      close={close}
    >
      <div>For money that came outside of the shop: {formatMoney(order.total)}.</div>
    </AskDialog>
  )
}

function ShipDialog({ order, close }: StepProps) {
  const [tracking, setTracking] = useState(order.trackingNumber ?? '')
  const [acceptDispute, setAcceptDispute] = useState(false)
  const isShipped = order.status === 'shipped'
  const contested = isShipped ? undefined : order.disputes?.find(({ state }) => !isResolved(state))
  const more = {
    ...(tracking === '' ? {} : { tracking }),
    ...(acceptDispute ? { acceptDispute } : {}),
  }
  return (
    <AskDialog
      title={isShipped ? `Tracking number of ${order.orderNumber}` : `Ship ${order.orderNumber}`}
      verb={isShipped ? 'Save' : 'Ship'}
      done={isShipped ? 'The tracking number is changed' : 'The order is shipped'}
      send={moveOrder(order, 'shipped', more)}
      close={close}
    >
      {contested && (
        <>
          <Alert severity="warning">
            {contested.state === 'lost'
              ? 'The money of this order was lost in a dispute.'
              : 'The customer disputes the payment of this order, and the money may be lost.'}
          </Alert>
          <FormControlLabel
            control={
              <Checkbox
                required
                checked={acceptDispute}
                onChange={event => setAcceptDispute(event.target.checked)}
              />
            }
            label="Ship it all the same"
          />
        </>
      )}
      <TextField
        label={isShipped ? 'Tracking number' : 'Tracking number (not required)'}
        required={isShipped}
        autoFocus
        value={tracking}
        onChange={event => setTracking(event.target.value)}
        slotProps={{ htmlInput: { maxLength: 200 } }}
      />
    </AskDialog>
  )
}

/** Whether a dispute has ended with the money in the shop. */
const isResolved = (state: string) => state === 'won' || state === 'dropped'

function DeliveredDialog({ order, close }: StepProps) {
  return (
    <AskDialog
      title={`Mark ${order.orderNumber} as delivered?`}
      verb="Mark as delivered"
      done="The order is delivered"
      send={moveOrder(order, 'delivered')}
      close={close}
    />
  )
}

function CancelDialog({ order, close }: StepProps) {
  const [reason, setReason] = useState('')
  const send = (key: string) =>
    ask(`/orders/${order.id}/cancel`, {
      method: 'POST',
      key,
      body: reason === '' ? {} : { reason },
    })
  return (
    <AskDialog
      title={`Cancel ${order.orderNumber}?`}
      verb="Cancel order"
      done="The order is cancelled"
      danger
      send={send}
      close={close}
    >
      <div>Its goods go back on the shelf, and what was paid goes back to the customer.</div>
      <ReasonField autoFocus value={reason} change={setReason} />
    </AskDialog>
  )
}

/** In minor units: what is on its way back already cannot be paid back again. */
function leftToRefund({ captured, refunded, refunds }: Order): number {
  const open = refunds.filter(({ state }) => state === 'open')
  return open.reduce((left, { amount }) => left - amount.amount, captured.amount - refunded.amount)
}

interface Made {
  state: 'open' | 'paid'
  byHand: boolean
}

function outcomeOf({ state, byHand }: Made, amount: Money): string {
  const money = formatMoney(amount)
  if (byHand) return `Pay ${money} back to the customer yourself, then confirm it under Refunds`
  return state === 'paid' ? `${money} was paid back` : `${money} is on its way back`
}

function RefundDialog({ order, close }: StepProps) {
  const { currency } = order.total
  const left: Money = { amount: leftToRefund(order), currency }
  const [typed, setTyped] = useState(typedMoney(left))
  const [reason, setReason] = useState('')
  const amount = readMoney(typed, currency)
  const isWrong = amount === undefined || amount.amount === 0 || amount.amount > left.amount
  const send = async (key: string) => {
    if (isWrong) throw new Error(`An amount of up to ${formatMoney(left)} can be paid back.`)
    const path = `/orders/${order.id}/refunds`
    const { body } = await ask<{ refund: Made }>(path, {
      method: 'POST',
      key,
      body: { amount, reason },
    })
    return outcomeOf(body.refund, amount)
  }
  return (
    <AskDialog
      title={`Refund ${order.orderNumber}`}
      verb="Pay back"
      done="The refund is recorded"
      danger
      send={send}
      close={close}
    >
      <TextField
        label={`Amount (${currency})`}
        required
        autoFocus
        value={typed}
        onChange={event => setTyped(event.target.value)}
        error={isWrong}
        helperText={`Up to ${formatMoney(left)}`}
        slotProps={{ htmlInput: { inputMode: 'decimal' } }}
      />
      <ReasonField required value={reason} change={setReason} />
    </AskDialog>
  )
}

function ArchiveDialog({ order, close }: StepProps) {
  const redirect = useRedirect()
  const send = async (key: string) => {
    await ask(`/orders/${order.id}`, { method: 'DELETE', key })
    redirect('list', 'orders')
  }
  return (
    <AskDialog
      title={`Archive ${order.orderNumber}?`}
      verb="Archive"
      done="The order is archived"
      send={send}
      close={close}
    >
      <div>It leaves all lists; the log keeps it for good.</div>
    </AskDialog>
  )
}
