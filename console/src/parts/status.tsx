// An order's status as a coloured word, and times and amounts as short texts.
import { Chip, Typography } from '@mui/material'
import type { Money } from '../api/shapes.ts'
import { formatMoney } from '../money.ts'

type Colour = 'default' | 'info' | 'success' | 'warning' | 'error' | 'primary'

const colours: Record<string, Colour> = {
  pending: 'warning',
  paid: 'info',
  shipped: 'primary',
  delivered: 'success',
  cancelled: 'default',
  expired: 'default',
  rejected: 'error',
  refunded: 'error',
  in: 'success',
  low: 'warning',
  out: 'error',
  finished: 'success',
  failed: 'error',
  running: 'info',
  undone: 'default',
}

/** The word itself says it; the colour only helps. */
export function StatusChip({ status }: { status: string }) {
  return (
    <Chip size="small" variant="outlined" color={colours[status] ?? 'default'} label={status} />
  )
}

export function Amount({ value }: { value: Money | undefined }) {
  return (
    <Typography component="span" variant="body2" sx={{ fontVariantNumeric: 'tabular-nums' }}>
      {value === undefined ? '–' : formatMoney(value)}
    </Typography>
  )
}

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

export function timeText(time: string): string {
  return moment.format(new Date(time))
}

/** "Europe/London, GMT+1": in which zone `timeText` tells times. */
export function zoneText(): string {
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(new Date())
  const short = parts.find(({ type }) => type === 'timeZoneName')?.value ?? ''
  const { timeZone } = moment.resolvedOptions()
  return timeZone === short ? timeZone : `${timeZone}, ${short}`
}
