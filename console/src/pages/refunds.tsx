// Money that is on its way back: what a person has to pay back, and what the provider does.
import {
  Button,
  Table,
  TableBody,
  TableCell,
  TableContainer,
  TableHead,
  TableRow,
  TextField,
} from '@mui/material'
import { useState } from 'react'
import { useCanAccess } from 'react-admin'
import { ask } from '../api/request.ts'
import type { Money } from '../api/shapes.ts'
import { formatMoney } from '../money.ts'
import { AskDialog } from '../parts/ask.tsx'
import { type Found, Listed, OrderLink, shownMax } from '../parts/listed.tsx'
import { Fetched, Page, Panel } from '../parts/panel.tsx'

interface Refund {
  refundId: string
  amount: Money
  provider: string
  byHand: boolean
}

interface Owed {
  orderId: string
  orderNumber: string
  since: string
  refunds: Refund[]
}

export function RefundsPage() {
  return (
    <Page title="Refunds">
      <Panel title="Open refunds">
        <Fetched<Found<Owed>> path={`/admin/refunds?pageSize=${shownMax}`} of="orders">
          {found => (
            <Listed found={found} none="No money waits to be paid back.">
              <Refunds owed={found.data} />
            </Listed>
          )}
        </Fetched>
      </Panel>
    </Page>
  )
}

function Refunds({ owed }: { owed: readonly Owed[] }) {
  const mayRefund = useCanAccess({ resource: 'orders', action: 'refund' }).canAccess === true
  const [confirming, setConfirming] = useState<{ order: Owed; refund: Refund }>()
  const rows = owed.flatMap(order => order.refunds.map(refund => ({ order, refund })))
  return (
    <TableContainer>
      <Table size="small">
        <TableHead>
          <TableRow>
            <TableCell>Order</TableCell>
            <TableCell align="right">Amount</TableCell>
            <TableCell>Who pays it back</TableCell>
            <TableCell>Since</TableCell>
            <TableCell />
          </TableRow>
        </TableHead>
        <TableBody>
          {rows.map(({ order, refund }) => (
            <TableRow key={refund.refundId}>
              <TableCell>
                <OrderLink {...order} />
              </TableCell>
              <TableCell align="right">{formatMoney(refund.amount)}</TableCell>
              <TableCell>
                {refund.byHand ? `You: it came through ${refund.provider}` : refund.provider}
              </TableCell>
              <TableCell>{new Date(order.since).toLocaleString()}</TableCell>
              <TableCell>
                {refund.byHand && mayRefund && (
                  <Button
                    aria-label={`I have paid it: ${order.orderNumber}`}
                    onClick={() => setConfirming({ order, refund })}
                  >
                    I have paid it
                  </Button>
                )}
              </TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
      {confirming && <ConfirmDialog {...confirming} close={() => setConfirming(undefined)} />}
    </TableContainer>
  )
}

interface ConfirmProps {
  order: Owed
  refund: Refund
  close(): void
}

function ConfirmDialog({ order, refund, close }: ConfirmProps) {
  const [reference, setReference] = useState('')
  const path = `/orders/${order.orderId}/refunds/${refund.refundId}/confirm`
  const send = (key: string) =>
    ask(path, { method: 'POST', key, body: reference === '' ? {} : { reference } })
  return (
    <AskDialog
      title={`Was ${formatMoney(refund.amount)} of ${order.orderNumber} paid back?`}
      verb="It was paid back"
      done="The refund is recorded, and the customer gets a mail"
      send={send}
      close={close}
    >
      <TextField
        label="Reference (not required)"
        autoFocus
        value={reference}
        onChange={event => setReference(event.target.value)}
        slotProps={{ htmlInput: { maxLength: 200 } }}
      />
    </AskDialog>
  )
}
