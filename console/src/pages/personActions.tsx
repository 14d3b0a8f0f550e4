// What a person may ask of the shop about their data: a copy of it, and to be forgotten.
import {
  Alert,
  Button,
  Checkbox,
  FormControlLabel,
  List,
  ListItem,
  ListItemText,
  Stack,
  TextField,
  Typography,
} from '@mui/material'
import { useState } from 'react'
import { HttpError, useCanAccess, useNotify, useRecordContext } from 'react-admin'
import { ask, send } from '../api/request.ts'
import type { Money, User } from '../api/shapes.ts'
import { formatMoney } from '../money.ts'
import { AskDialog } from '../parts/ask.tsx'
import { Fetched, Panel } from '../parts/panel.tsx'

export function PersonalDataPanel() {
  const user = useRecordContext<User>()
  if (user === undefined) return null
  return user.erased ? <CertificatePanel user={user} /> : <RequestsPanel user={user} />
}

function RequestsPanel({ user }: { user: User }) {
  const [isErasing, setErasing] = useState(false)
  const mayErase = useCanAccess({ resource: 'users', action: 'erase' }).canAccess === true
  const mayExport = useCanAccess({ resource: 'users', action: 'export' }).canAccess === true
  if (!mayErase && !mayExport) return null
  return (
    <Panel title="Personal data">
      <Typography sx={{ mb: 2 }}>
        For when {user.username} has asked for a copy of their data, or to be forgotten.
      </Typography>
      <Stack direction="row" sx={{ flexWrap: 'wrap', gap: 1 }}>
        {mayExport && <DownloadButton user={user} />}
        {mayErase && (
          <Button color="error" variant="outlined" onClick={() => setErasing(true)}>
            Erase this customer
          </Button>
        )}
      </Stack>
      {isErasing && <EraseDialog user={user} close={() => setErasing(false)} />}
    </Panel>
  )
}

function DownloadButton({ user }: { user: User }) {
  const [isBusy, setBusy] = useState(false)
  const notify = useNotify()
  const download = async () => {
    setBusy(true)
    try {
      const response = await send(`/admin/users/${user.id}/export`)
      const link = document.createElement('a')
      link.href = URL.createObjectURL(await response.blob())
      link.download = `personal-data-${user.id}.json`
      link.click()
      URL.revokeObjectURL(link.href)
    } catch (error) {
      notify(error instanceof Error ? error.message : String(error), { type: 'error' })
    } finally {
      setBusy(false)
    }
  }
  return (
    <Button variant="outlined" disabled={isBusy} onClick={download}>
      Download data
    </Button>
  )
}

interface OpenOrder {
  orderId: string
  orderNumber: string
  status: string
  openRefunds: number
  paymentUnderWay: boolean
  openDispute: boolean
  manualRefunds: { refundId: string; amount: Money; provider: string }[]
}

/** The orders that keep somebody from being erased; undefined when that was not the reason. */
function openOrdersIn(error: unknown): OpenOrder[] | undefined {
  const problem = error instanceof HttpError ? error.body : undefined
  return problem?.type === '/problems/customer/open-orders' ? problem.orders : undefined
}

function EraseDialog({ user, close }: { user: User; close(): void }) {
  const [requestReference, setReference] = useState('')
  const [cancelsOpen, setCancelsOpen] = useState(false)
  const [open, setOpen] = useState<OpenOrder[]>([])
  const erase = async (key: string) => {
    const body = { requestReference, cancelOpenOrders: cancelsOpen }
    try {
      await ask(`/admin/users/${user.id}/erase`, { method: 'POST', key, body })
    } catch (error) {
      const found = openOrdersIn(error)
      setOpen(found ?? [])
      if (found === undefined || !(error instanceof HttpError)) throw error
      const advice = 'Ship or complete these orders first, or have them cancelled and refunded.'
      throw new HttpError(advice, error.status, error.body)
    }
  }
  return (
    <AskDialog
      title={`Erase ${user.username} for good?`}
      verb="Erase for good"
      done="The customer is erased"
      danger
      send={erase}
      close={close}
    >
      <Alert severity="warning">
        Name, addresses and account are gone at once, and nobody can bring them back. Orders and
        amounts stay. Orders that wait to be paid are cancelled.
      </Alert>
      <TextField
        label="Where the request is kept"
        helperText="Such as the number of a ticket: it is recorded with the erasure."
        required
        autoFocus
        value={requestReference}
        onChange={event => setReference(event.target.value)}
        slotProps={{ htmlInput: { maxLength: 200 } }}
      />
      {open.length > 0 && <OpenOrders orders={open} />}
      <FormControlLabel
        control={
          <Checkbox
            checked={cancelsOpen}
            onChange={event => setCancelsOpen(event.target.checked)}
          />
        }
        label="Cancel and refund open orders first"
      />
    </AskDialog>
  )
}

function OpenOrders({ orders }: { orders: readonly OpenOrder[] }) {
  return (
    <List dense aria-label="Open orders" sx={{ py: 0 }}>
      {orders.map(order => (
        <ListItem key={order.orderId} disableGutters>
          <ListItemText
            primary={<a href={`#/orders/${order.orderId}/show`}>{order.orderNumber}</a>}
            secondary={reasonOf(order)}
          />
        </ListItem>
      ))}
    </List>
  )
}

function reasonOf(order: OpenOrder): string {
  const { status, openRefunds, paymentUnderWay, openDispute, manualRefunds } = order
  if (manualRefunds.length > 0) {
    const amounts = manualRefunds.map(({ amount }) => formatMoney(amount)).join(' and ')
    return `${amounts} to be paid back by hand and confirmed under Refunds`
  }
  if (openDispute) return `${status}, and disputed: the bank has still to decide`
  if (paymentUnderWay) return 'a payment is under way'
  if (openRefunds > 0) return `${status}, and money is still to be paid back`
  return status === 'paid' ? 'paid, and not shipped yet' : `${status}, and not completed yet`
}

interface Certificate {
  erasedAt: string
  checks: { name: string; passed: boolean }[]
}

function CertificatePanel({ user }: { user: User }) {
  return (
    <Panel title="Erased">
      <Fetched<Certificate> path={`/admin/users/${user.id}/erasure`} of="users">
        {({ erasedAt, checks }) => (
          <>
            <Typography>
              Erased on {new Date(erasedAt).toLocaleString()}. Checked just now:
            </Typography>
            <List dense>
              {checks.map(({ name, passed }) => (
                <ListItem key={name} disableGutters>
                  <ListItemText primary={`${passed ? '✓' : '✗'} ${name}`} />
                </ListItem>
              ))}
            </List>
          </>
        )}
      </Fetched>
    </Panel>
  )
}
