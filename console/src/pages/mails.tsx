// Mails: what could not be delivered and why, what waits, and trying again or giving up.
import { Box, Button, Chip, Stack, Typography, useMediaQuery } from '@mui/material'
import type { Theme } from '@mui/material/styles'
import { useState } from 'react'
import { DataTable, SelectInput, useCanAccess, useListContext, useRecordContext } from 'react-admin'
import { ask } from '../api/request.ts'
import type { Mail } from '../api/shapes.ts'
import { AskDialog } from '../parts/ask.tsx'
import { RecordList, RecordTable } from '../parts/recordList.tsx'
import { timeText } from '../parts/status.tsx'

interface StateChoice {
  id: Mail['state']
  name: string
  color: 'error' | 'warning' | 'default'
}

const states: StateChoice[] = [
  { id: 'undeliverable', name: 'undeliverable', color: 'error' },
  { id: 'retrying', name: 'to be tried again', color: 'warning' },
  { id: 'due', name: 'waiting', color: 'default' },
  { id: 'sent', name: 'sent', color: 'default' },
  { id: 'dropped', name: 'given up', color: 'default' },
]
const filters = [
  <SelectInput key="state" source="state" choices={states} alwaysOn emptyText="all" />,
]

/** What needs somebody comes first: those that could not be delivered. */
export function MailList() {
  const isSmall = useMediaQuery<Theme>(theme => theme.breakpoints.down('md'))
  return (
    <RecordList
      filters={filters}
      filterDefaultValues={{ state: 'undeliverable' }}
      sort={{ field: '', order: 'DESC' }}
      empty={false}
    >
      {isSmall ? <Cards /> : <Table />}
    </RecordList>
  )
}

function Table() {
  return (
    <RecordTable<Mail> opens={false} heading="Mail" name={nameOf}>
      <DataTable.Col label="State" disableSort render={(mail: Mail) => <State mail={mail} />} />
      <DataTable.Col label="About" disableSort render={(mail: Mail) => <About mail={mail} />} />
      <DataTable.Col label="Reason" disableSort render={reasonOf} />
      <DataTable.Col label="Attempts" disableSort source="attempts" align="right" />
      <DataTable.Col label="When" disableSort render={whenOf} />
      <DataTable.Col label="" disableSort>
        <Decisions />
      </DataTable.Col>
    </RecordTable>
  )
}

function Cards() {
  const { data = [] } = useListContext<Mail>()
  if (data.length === 0) return <Typography sx={{ p: 2 }}>There are no such mails.</Typography>
  return (
    <>
      {data.map(mail => (
        <Box
          key={mail.id}
          component="article"
          sx={{ p: 2, borderBottom: 1, borderColor: 'divider' }}
        >
          <Stack direction="row" spacing={1} sx={{ alignItems: 'center', flexWrap: 'wrap' }}>
            <Typography sx={{ fontWeight: 600 }}>{nameOf(mail)}</Typography>
            <State mail={mail} />
          </Stack>
          <Typography>
            <About mail={mail} />
          </Typography>
          <Typography variant="body2" sx={{ overflowWrap: 'anywhere' }}>
            {reasonOf(mail)} {whenOf(mail)}
          </Typography>
          <Buttons mail={mail} />
        </Box>
      ))}
    </>
  )
}

/** `order-paid` → "Order paid" */
function nameOf({ template }: Mail): string {
  const words = template.replaceAll('-', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function State({ mail }: { mail: Mail }) {
  const { name = mail.state, color = 'default' } = states.find(({ id }) => id === mail.state) ?? {}
  return <Chip size="small" label={name} color={color} />
}

function About({ mail: { orderId, orderNumber, customerId } }: { mail: Mail }) {
  if (orderId !== null) return <a href={`#/orders/${orderId}/show`}>{orderNumber ?? 'an order'}</a>
  return customerId === null ? <>–</> : <a href={`#/users/${customerId}/show`}>a person</a>
}

const reasons: Readonly<Record<string, string>> = {
  RECIPIENT_LIMIT: 'the recipient has had as many as allowed',
  NO_ADDRESS: 'nobody to write to',
  OBSOLETE: 'nothing to say any more',
}

function reasonOf({ lastError }: Mail): string {
  return lastError === null ? '–' : (reasons[lastError] ?? lastError)
}

function whenOf({ sentAt, nextAttemptAt, queuedAt }: Mail): string {
  if (sentAt !== null) return `sent ${timeText(sentAt)}`
  if (nextAttemptAt !== null) return `next ${timeText(nextAttemptAt)}`
  return `since ${timeText(queuedAt)}`
}

function Decisions() {
  const mail = useRecordContext<Mail>()
  return mail === undefined ? null : <Buttons mail={mail} />
}

function Buttons({ mail }: { mail: Mail }) {
  const [verb, decide] = useState<'retry' | 'drop'>()
  const { canAccess } = useCanAccess({ resource: 'mails', action: 'edit' })
  const { refetch } = useListContext()
  if (!canAccess || mail.state === 'sent') return null
  const name = `${nameOf(mail)} ${mail.orderNumber ?? ''}`.trim()
  const isDrop = verb === 'drop'
  return (
    <Stack direction="row" spacing={1}>
      <Button size="small" aria-label={`Try again: ${name}`} onClick={() => decide('retry')}>
        Try again
      </Button>
      {mail.state !== 'dropped' && (
        <Button
          size="small"
          color="error"
          aria-label={`Give up: ${name}`}
          onClick={() => decide('drop')}
        >
          Give up
        </Button>
      )}
      {verb !== undefined && (
        <AskDialog
          title={isDrop ? 'Give this mail up?' : 'Send this mail now?'}
          verb={isDrop ? 'Give up' : 'Try again'}
          done={isDrop ? 'The mail is given up' : 'The mail is being sent'}
          danger={isDrop}
          send={key => ask(`/admin/mails/${mail.id}/${verb}`, { method: 'POST', key })}
          close={() => {
            decide(undefined)
            refetch()
          }}
        >
          <Typography>
            {name}: {reasonOf(mail)}
          </Typography>
        </AskDialog>
      )}
    </Stack>
  )
}
