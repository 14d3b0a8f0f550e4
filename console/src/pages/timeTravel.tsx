// An order as it was behind each of its events, folded by the API from the log up to there.
import {
  Chip,
  Slider,
  Stack,
  Table,
  TableBody,
  TableCell,
  TableRow,
  Typography,
} from '@mui/material'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { ask } from '../api/request.ts'
import type { Order, Step } from '../api/shapes.ts'
import { formatMoney, isMoney } from '../money.ts'
import { timeText } from '../parts/status.tsx'

type State = Record<string, unknown>

interface TimeTravelProps {
  order: Order
  steps: readonly Step[]
}

/** The state at a revision; none before the first. */
function useStateAt(orderId: string, revision: number | undefined) {
  return useQuery({
    queryKey: ['orders', 'asOf', orderId, revision ?? 'before'],
    queryFn: async (): Promise<State> => {
      if (revision === undefined) return {}
      const path = `/audit/orders/${orderId}?asOf=${revision}`
      return (await ask<{ state: State }>(path)).body.state
    },
    placeholderData: keepPreviousData,
    retry: false,
  })
}

export function TimeTravel({ order, steps }: TimeTravelProps) {
  const [chosen, setChosen] = useState(Number.POSITIVE_INFINITY)
  const index = Math.min(chosen, steps.length - 1)
  const step = steps[index]
  const { data: then, error } = useStateAt(order.id, step?.revision)
  const { data: before } = useStateAt(order.id, steps[index - 1]?.revision)
  return (
    <Stack spacing={1} component="section" aria-label="Time travel" sx={{ mt: 2 }}>
      <Typography variant="subtitle1" component="h3">
        As it was behind {step?.event ?? ''}, {step === undefined ? '' : timeText(step.at)}
      </Typography>
      <Slider
        aria-label="Moment"
        value={index}
        onChange={(_, value) => setChosen(Number(value))}
        min={0}
        max={Math.max(1, steps.length - 1)}
        disabled={steps.length < 2}
        step={1}
        marks
        getAriaValueText={value => steps[value]?.event ?? ''}
        sx={{ mx: 1, width: 'calc(100% - 16px)' }}
      />
      {error !== null && <Typography color="error">{error.message}</Typography>}
      {then !== undefined && <StateTable state={then} before={before ?? {}} order={order} />}
    </Stack>
  )
}

interface StateTableProps {
  state: State
  before: State
  order: Order
}

function StateTable({ state, before, order }: StateTableProps) {
  const { currency } = order.total
  const rows = Object.entries(state)
    .map(([name, value]) => ({ name, text: shown(name, value, currency) }))
    .filter(({ name, text }) => text !== '' || shown(name, before[name], currency) !== '')
  return (
    <Table size="small" aria-label="The order at this moment">
      <TableBody>
        {rows.map(({ name, text }) => {
          const isNew = text !== shown(name, before[name], currency)
          return (
            <TableRow key={name} selected={isNew}>
              <TableCell component="th" sx={{ width: '30%', verticalAlign: 'top' }}>
                {name} {isNew && <Chip size="small" color="info" label="changed" />}
              </TableCell>
              <TableCell sx={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>
                {text || '–'}
              </TableCell>
            </TableRow>
          )
        })}
      </TableBody>
    </Table>
  )
}

/** Amounts that the state has as bare numbers, in the currency of the order. */
const amounts = ['captured', 'refunded', 'refundDue']
const hidden = ['orderId', 'orderNumber', 'customerId']

/** A value as people read it; empty for what says nothing. */
function shown(name: string, value: unknown, currency: string): string {
  if (value === null || value === undefined || value === false || hidden.includes(name)) return ''
  if (isMoney(value)) return formatMoney(value)
  if (typeof value === 'number') {
    if (value === 0) return ''
    if (amounts.includes(name)) return formatMoney({ amount: value, currency })
    return name === 'expiresAt' ? timeText(new Date(value).toISOString()) : String(value)
  }
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return value.map(each => shown('', each, currency)).join('\n')
  return Object.entries(value)
    .map(([key, part]) => ({ key, text: shown(key, part, currency) }))
    .filter(({ key, text }) => text !== '' && !/Id$/.test(key))
    .map(({ key, text }) => `${key} ${text}`)
    .join(', ')
}
