// One order: what was bought, what was paid, what happened, and what may happen next.
import {
  Grid,
  Stack,
  Table,
  TableBody,
  TableCell,
  TableHead,
  TableRow,
  Typography,
} from '@mui/material'
import { useCanAccess, useRecordContext } from 'react-admin'
import type { Money, Order } from '../api/shapes.ts'
import { formatMoney } from '../money.ts'
import { Page, Panel } from '../parts/panel.tsx'
import { RecordShow } from '../parts/recordShow.tsx'
import { StatusChip, timeText } from '../parts/status.tsx'
import { OrderActions } from './orderActions.tsx'
import { OrderHistoryPanel } from './orderHistory.tsx'

export function OrderShow() {
  return (
    <RecordShow title={<OrderTitle />}>
      <OrderPage />
    </RecordShow>
  )
}

function OrderTitle() {
  const order = useRecordContext<Order>()
  return <span>{order ? `Order ${order.orderNumber}` : 'Order'}</span>
}

function OrderPage() {
  const order = useRecordContext<Order>()
  if (order?.lines === undefined) return null
  return (
    <Page>
      <Stack direction="row" sx={{ alignItems: 'center', flexWrap: 'wrap', gap: 2 }}>
        <Typography variant="h5" component="p" sx={{ whiteSpace: 'nowrap' }}>
          {order.orderNumber}
        </Typography>
        <StatusChip status={order.status} />
        <OrderActions order={order} />
      </Stack>
      <Grid container spacing={2}>
        <Grid size={{ xs: 12, md: 8 }}>
          <Lines order={order} />
        </Grid>
        <Grid size={{ xs: 12, md: 4 }}>
          <Facts order={order} />
        </Grid>
        {hasMoneyBack(order) && (
          <Grid size={12}>
            <MoneyBack order={order} />
          </Grid>
        )}
        <Grid size={12}>
          <OrderHistoryPanel order={order} />
        </Grid>
      </Grid>
    </Page>
  )
}

function Lines({ order }: { order: Order }) {
  return (
    <Panel title="Lines">
      <Table size="small">
        <TableHead>
          <TableRow>
            <TableCell>Product</TableCell>
            <TableCell align="right">Pieces</TableCell>
            <TableCell align="right">Each</TableCell>
            <TableCell align="right">Together</TableCell>
          </TableRow>
        </TableHead>
        <TableBody>
          {order.lines.map(line => (
            <TableRow key={line.productId}>
              <TableCell>
                <a href={`#/products/${line.productId}/show`}>{line.name}</a>
              </TableCell>
              <TableCell align="right">{line.quantity}</TableCell>
              <TableCell align="right">{formatMoney(line.unitPrice)}</TableCell>
              <TableCell align="right">{formatMoney(line.total)}</TableCell>
            </TableRow>
          ))}
          {order.charges.map(charge => (
            <SumRow key={charge.code} label={charge.name} value={charge.amount} />
          ))}
          <SumRow label="Total" value={order.total} strong />
          <SumRow label="Captured" value={order.captured} />
          <SumRow label="Refunded" value={order.refunded} />
        </TableBody>
      </Table>
    </Panel>
  )
}

const hasMoneyBack = ({ refunds, disputes = [] }: Order) =>
  refunds.length > 0 || disputes.length > 0

/** Refunds, those made at the provider and failed ones among them, and disputes. */
function MoneyBack({ order: { refunds, disputes = [] } }: { order: Order }) {
  return (
    <Panel title="Refunds and disputes">
      <Table size="small">
        <TableBody>
          {refunds.map(({ refundId, amount, state, provider, at }) => (
            <TableRow key={refundId}>
              <TableCell>{provider === null ? 'Refund' : `Refund made at ${provider}`}</TableCell>
              <TableCell align="right">{formatMoney(amount)}</TableCell>
              <TableCell>{state}</TableCell>
              <TableCell>{timeText(at)}</TableCell>
            </TableRow>
          ))}
          {disputes.map(({ id, amount, state, reason, dueBy, reference }) => (
            <TableRow key={id}>
              <TableCell>{`Dispute ${reference}: ${reason.replaceAll('_', ' ')}`}</TableCell>
              <TableCell align="right">{formatMoney(amount)}</TableCell>
              <TableCell>{state.replaceAll('_', ' ')}</TableCell>
              <TableCell>{dueBy === null ? '' : `answer by ${timeText(dueBy)}`}</TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </Panel>
  )
}

function SumRow({ label, value, strong }: { label: string; value: Money; strong?: boolean }) {
  const sx = strong ? { fontWeight: 700 } : { color: 'text.secondary' }
  return (
    <TableRow>
      <TableCell colSpan={3} sx={sx}>
        {label}
      </TableCell>
      <TableCell align="right" sx={sx} data-testid={`sum-${label}`}>
        {formatMoney(value)}
      </TableCell>
    </TableRow>
  )
}

function Facts({ order }: { order: Order }) {
  return (
    <Panel title="Delivery and payment">
      <Fact label="Customer">
        <Customer order={order} />
      </Fact>
      <Fact label="Placed">{timeText(order.placedAt)}</Fact>
      {order.status === 'pending' && order.expiresAt !== null && (
        <Fact label="Expires unless paid">{timeText(order.expiresAt)}</Fact>
      )}
      <Fact label="Tracking number">{order.trackingNumber ?? '–'}</Fact>
      <Fact label="Address">
        <span style={{ whiteSpace: 'pre-line' }}>{order.shippingAddress ?? '–'}</span>
      </Fact>
      <Fact label="Country">{order.country ?? '–'}</Fact>
      <Fact label="Phone">{order.phoneNumber ?? '–'}</Fact>
      <Fact label="Payment">{order.paymentMethod}</Fact>
    </Panel>
  )
}

/** Who it is; with a way to their page for those who may look at it. */
function Customer({ order: { customerId, customerName, customerEmail } }: { order: Order }) {
  const { canAccess } = useCanAccess({ resource: 'users', action: 'show' })
  const name = customerName ?? customerId
  return (
    <>
      {canAccess ? <a href={`#/users/${customerId}/show`}>{name}</a> : name}
      {customerEmail && <div>{customerEmail}</div>}
    </>
  )
}

function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <>
      <Typography variant="caption" color="text.secondary" component="div">
        {label}
      </Typography>
      <Typography variant="body2" component="div" sx={{ mb: 1, overflowWrap: 'anywhere' }}>
        {children}
      </Typography>
    </>
  )
}
