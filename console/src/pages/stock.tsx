// How many pieces there are, the movements that explain it, and the way to book some in or out.
import {
  Button,
  Stack,
  Table,
  TableBody,
  TableCell,
  TableContainer,
  TableHead,
  TableRow,
  TextField,
  Typography,
} from '@mui/material'
import { useState } from 'react'
import { useCanAccess } from 'react-admin'
import { ask } from '../api/request.ts'
import type { Prices, Product, Stock } from '../api/shapes.ts'
import { formatMoney } from '../money.ts'
import { AskDialog } from '../parts/ask.tsx'
import { Fetched, Nothing, Panel } from '../parts/panel.tsx'
import { countText } from '../parts/recordList.tsx'
import { timeText } from '../parts/status.tsx'

const reasons = ['received', 'returned', 'found', 'damaged', 'lost', 'correction']
const shownMax = 50

export function StockPanel({ productId }: { productId: string }) {
  const [open, setOpen] = useState<'adjust' | 'count'>()
  const { canAccess } = useCanAccess({ resource: 'products', action: 'stock' })
  const close = () => setOpen(undefined)
  const adjust = (
    <>
      <Button variant="outlined" onClick={() => setOpen('count')}>
        Count stock
      </Button>
      <Button variant="outlined" onClick={() => setOpen('adjust')}>
        Adjust stock
      </Button>
    </>
  )
  return (
    <Panel title="Stock" actions={canAccess ? adjust : null}>
      <Fetched<Stock> path={`/products/${productId}/stock?pageSize=${shownMax}`} of="products">
        {stock => <Ledger stock={stock} />}
      </Fetched>
      {open === 'adjust' && <AdjustDialog productId={productId} close={close} />}
      {open === 'count' && <CountDialog productId={productId} close={close} />}
    </Panel>
  )
}

function Ledger({ stock }: { stock: Stock }) {
  const { total = stock.movements.length } = stock
  return (
    <>
      <Stack direction="row" spacing={4} sx={{ mb: 1 }}>
        <Figure label="On hand" value={stock.onHand} />
        <Figure label="Reserved" value={stock.reserved} />
        <Figure label="Available" value={stock.available} />
      </Stack>
      {stock.movements.length === 0 ? (
        <Nothing>No piece has moved yet.</Nothing>
      ) : (
        <>
          {total > stock.movements.length && (
            <Typography variant="body2" color="text.secondary">
              The newest {stock.movements.length} of {countText(total, stock.totalIsAtLeast)}:
            </Typography>
          )}
          <Movements movements={stock.movements} />
        </>
      )}
    </>
  )
}

function Figure({ label, value }: { label: string; value: number }) {
  return (
    <div>
      <Typography variant="caption" color="text.secondary">
        {label}
      </Typography>
      <Typography variant="h5" component="p" data-testid={`stock-${label}`}>
        {value.toLocaleString()}
      </Typography>
    </div>
  )
}

function Movements({ movements }: { movements: Stock['movements'] }) {
  return (
    <TableContainer sx={{ maxHeight: 320 }} tabIndex={0} aria-label="Stock movements" role="region">
      <Table size="small" stickyHeader>
        <TableHead>
          <TableRow>
            <TableCell>When</TableCell>
            <TableCell>Why</TableCell>
            <TableCell align="right">On hand</TableCell>
            <TableCell align="right">Reserved</TableCell>
          </TableRow>
        </TableHead>
        <TableBody>
          {movements.map(each => (
            <TableRow key={each.position}>
              <TableCell sx={{ whiteSpace: 'nowrap' }}>{timeText(each.at)}</TableCell>
              <TableCell>{[each.reason, each.note].filter(Boolean).join(': ')}</TableCell>
              <TableCell align="right">{signed(each.onHandDelta)}</TableCell>
              <TableCell align="right">{signed(each.reservedDelta)}</TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  )
}

function signed(delta: number): string {
  return delta === 0 ? '' : `${delta > 0 ? '+' : '−'}${Math.abs(delta).toLocaleString()}`
}

function AdjustDialog({ productId, close }: { productId: string; close(): void }) {
  const [delta, setDelta] = useState('')
  const [reason, setReason] = useState('received')
  const [note, setNote] = useState('')
  const send = (key: string) =>
    ask(`/products/${productId}/stock-adjustments`, {
      method: 'POST',
      key,
      body: { delta: Number(delta), reason, ...(note === '' ? {} : { note }) },
    })
  return (
    <AskDialog title="Adjust stock" verb="Book" done="Stock is booked" send={send} close={close}>
      <TextField
        label="Pieces (+ in, − out)"
        required
        autoFocus
        value={delta}
        onChange={event => setDelta(event.target.value)}
        slotProps={{
          htmlInput: {
            inputMode: 'text',
            pattern: '[+\\-]?0*[1-9][0-9]{0,7}',
            title: 'A whole number that is not 0',
          },
        }}
      />
      <TextField
        label="Reason"
        select
        value={reason}
        onChange={event => setReason(event.target.value)}
        slotProps={{ select: { native: true } }}
      >
        {reasons.map(each => (
          <option key={each}>{each}</option>
        ))}
      </TextField>
      <TextField label="Note" value={note} onChange={event => setNote(event.target.value)} />
    </AskDialog>
  )
}

/** Sets what is there to what somebody has counted, whatever was sold meanwhile. */
function CountDialog({ productId, close }: { productId: string; close(): void }) {
  const [counted, setCounted] = useState('')
  const [note, setNote] = useState('')
  const send = (key: string) =>
    ask(`/products/${productId}/stock-counts`, {
      method: 'POST',
      key,
      body: { counted: Number(counted), ...(note === '' ? {} : { note }) },
    })
  return (
    <AskDialog title="Count stock" verb="Set" done="The count is booked" send={send} close={close}>
      <div>Pieces in the house, reserved ones included: this becomes the stock on hand.</div>
      <TextField
        label="Pieces counted"
        required
        autoFocus
        value={counted}
        onChange={event => setCounted(event.target.value)}
        slotProps={{
          htmlInput: { inputMode: 'numeric', pattern: '[0-9]{1,8}', title: 'A whole number' },
        }}
      />
      <TextField
        label="Note"
        value={note}
        onChange={event => setNote(event.target.value)}
        slotProps={{ htmlInput: { maxLength: 500 } }}
      />
    </AskDialog>
  )
}

/** The price, the lowest before it was reduced, and all changes. */
export function PricePanel({ product: { id, updatedAt } }: { product: Product }) {
  return (
    <Panel title="Prices">
      <Fetched<Prices> path={`/products/${id}/price-history`} of="products" version={updatedAt}>
        {({ price, since, lowestPriceIn30DaysBefore: lowest, changes = [] }) => (
          <>
            <Typography>
              {formatMoney(price)} since {timeText(since)}
              {lowest ? `; lowest of the 30 days before: ${formatMoney(lowest)}` : ''}
            </Typography>
            {changes.slice(1, shownMax).map(each => (
              <Typography key={each.position} variant="body2" color="text.secondary">
                {formatMoney(each.price)} from {timeText(each.at)}
              </Typography>
            ))}
          </>
        )}
      </Fetched>
    </Panel>
  )
}
