// What was sold: by day, product, category, country and customer, as charts, figures and CSV.
import {
  Button,
  Grid,
  LinearProgress,
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
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useNotify } from 'react-admin'
import { ask, send } from '../api/request.ts'
import type { Money } from '../api/shapes.ts'
import { formatMoney } from '../money.ts'
import { type Bar, DayBars, NameBars } from '../parts/bars.tsx'
import { Fetched, Nothing, Page, Panel } from '../parts/panel.tsx'
import { countText, LoadFault } from '../parts/recordList.tsx'

type Dimension = 'day' | 'product' | 'category' | 'country' | 'customer'

interface Line {
  key: string | null
  name: string | null
  orders: number
  quantity: number
  gross: Money
  returned: Money
  net: Money
}

interface Report {
  data: Line[]
  total: number
  timeZone: string
}

const dayMs = 86_400_000
/** None of them is all there ever was. */
const spans = [7, 30, 90, 365, 0]
const shownMax = 10
const barsMax = 400

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}

/** All days between two, both included. */
function daysBetween(first: string, last: string): string[] {
  const from = Date.parse(first)
  const count = Math.round((Date.parse(last) - from) / dayMs) + 1
  return Array.from({ length: Math.max(1, count) }, (_, index) => dayOf(from + index * dayMs))
}

/** From a day of the shop to another, both included; without one, from or to the end of all. */
interface Span {
  from: string
  to: string
  timeZone: string
}

/** 2026-03-01: for hours it is another day in the shop than in UTC, or in this browser. */
function todayIn(timeZone: string): string {
  return new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' }).format(Date.now())
}

/** The last days, of which the last one is today where the shop is; 0 is all there ever was. */
function lastDays(days: number, timeZone: string): Span {
  if (days === 0) return { from: '', to: '', timeZone }
  const from = dayOf(Date.parse(todayIn(timeZone)) - (days - 1) * dayMs)
  return { from, to: '', timeZone }
}

function pathOf(by: Dimension, span: Span, limit = 10_000): string {
  return `${csvPath(by, span)}&limit=${limit}`
}

/** Without a limit: a file holds all lines. */
function csvPath(by: Dimension, { from, to }: Span): string {
  const bounds = [from && `&from=${from}`, to && `&to=${to}`].join('')
  return `/admin/reports/sales?by=${by}${bounds}`
}

/** Asks for the time zone of the shop first: a report says it. */
function WithTimeZone({ children }: { children(timeZone: string): ReactNode }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['settings', 'timeZone'],
    queryFn: async () => (await ask<Report>('/admin/reports/sales?limit=1')).body.timeZone,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  })
  if (data !== undefined) return children(data)
  if (error) return <LoadFault error={error} retry={refetch} />
  return <LinearProgress aria-label="Loading" />
}

const ownDays = 'own'

export function SalesPage() {
  const [chosen, setChosen] = useState('30')
  const [own, setOwn] = useState({ from: '', to: '' })
  const isOwn = chosen === ownDays
  return (
    <Page title="Sales">
      <Stack direction="row" sx={{ flexWrap: 'wrap', gap: 2 }}>
        <TextField
          label="Time"
          select
          value={chosen}
          onChange={event => setChosen(event.target.value)}
          slotProps={{ select: { native: true } }}
          sx={{ width: 240 }}
        >
          {spans.map(span => (
            <option key={span} value={span}>
              {span === 0 ? 'all of it' : `the last ${span} days`}
            </option>
          ))}
          <option value={ownDays}>from a day to another</option>
        </TextField>
        {isOwn && (
          <DayField label="From" value={own.from} change={from => setOwn({ ...own, from })} />
        )}
        {isOwn && <DayField label="To" value={own.to} change={to => setOwn({ ...own, to })} />}
      </Stack>
      <WithTimeZone>
        {timeZone => (
          <Reports span={isOwn ? { ...own, timeZone } : lastDays(Number(chosen), timeZone)} />
        )}
      </WithTimeZone>
    </Page>
  )
}

interface DayFieldProps {
  label: string
  value: string
  change(day: string): void
}

function DayField({ label, value, change }: DayFieldProps) {
  return (
    <TextField
      label={label}
      type="date"
      value={value}
      onChange={event => change(event.target.value)}
      slotProps={{ inputLabel: { shrink: true } }}
      sx={{ width: 180 }}
    />
  )
}

function Reports({ span }: { span: Span }) {
  return (
    <>
      <DayReport span={span} />
      <Grid container spacing={2}>
        <Grid size={{ xs: 12, md: 6 }}>
          <SalesBy dimension="product" title="By product" span={span} />
        </Grid>
        <Grid size={{ xs: 12, md: 6 }}>
          <SalesBy dimension="category" title="By category" span={span} />
        </Grid>
        <Grid size={{ xs: 12, md: 6 }}>
          <SalesBy dimension="country" title="By country" span={span} />
        </Grid>
        <Grid size={{ xs: 12, md: 6 }}>
          <SalesBy dimension="customer" title="By customer" span={span} />
        </Grid>
      </Grid>
    </>
  )
}

/** The chart of the days, with those on which nothing was sold. */
export function SalesByDay({ days }: { days: number }) {
  return <WithTimeZone>{timeZone => <DayReport span={lastDays(days, timeZone)} />}</WithTimeZone>
}

function DayReport({ span }: { span: Span }) {
  return (
    <Panel title="Sales by day" actions={<CsvButton dimension="day" span={span} />}>
      <Fetched<Report> path={pathOf('day', span)} of="orders">
        {({ data, timeZone }) =>
          data.length === 0 ? (
            <Nothing>Nothing was sold in this time.</Nothing>
          ) : (
            <>
              <Days lines={data} span={span} />
              <Typography variant="caption">Days begin at midnight in {timeZone}.</Typography>
            </>
          )
        }
      </Fetched>
    </Panel>
  )
}

function Days({ lines, span }: { lines: readonly Line[]; span: Span }) {
  const today = todayIn(span.timeZone)
  const first = span.from || (lines[0]?.key ?? today)
  const last = span.to || (span.from ? today : (lines.at(-1)?.key ?? today))
  const all = daysBetween(first, last)
  // More bars than that are finer than a screen.
  const letters = all.length > barsMax ? 'YYYY-MM'.length : 'YYYY-MM-DD'.length
  const shown = [...new Set(all.map(day => day.slice(0, letters)))]
  const bars = shown.map(label => {
    const own = lines.filter(line => line.key?.startsWith(label))
    return barOf(label, own)
  })
  return (
    <>
      <DayBars bars={bars} title="Sales by day" />
      <Totals lines={lines} />
    </>
  )
}

function barOf(label: string, lines: readonly Line[]): Bar {
  const [first] = lines
  if (first === undefined) return { label, value: 0, text: 'nothing' }
  const { currency } = first.net
  const own = lines.filter(line => line.net.currency === currency)
  const amount = own.reduce((sum, line) => sum + line.net.amount, 0)
  const orders = own.reduce((sum, line) => sum + line.orders, 0)
  return { label, value: amount, text: `${formatMoney({ amount, currency })} in ${orders} orders` }
}

function Totals({ lines }: { lines: readonly Line[] }) {
  const [first] = lines
  if (first === undefined) return null
  const { currency } = first.net
  const own = lines.filter(line => line.net.currency === currency)
  const sum = (part: 'gross' | 'returned' | 'net') =>
    formatMoney({ currency, amount: own.reduce((total, line) => total + line[part].amount, 0) })
  return (
    <TableContainer sx={{ mt: 1 }}>
      <Table size="small">
        <TableHead>
          <TableRow>
            <TableCell align="right">Sold</TableCell>
            <TableCell align="right">Returned</TableCell>
            <TableCell align="right">Net</TableCell>
          </TableRow>
        </TableHead>
        <TableBody>
          <TableRow>
            <TableCell align="right">{sum('gross')}</TableCell>
            <TableCell align="right">{sum('returned')}</TableCell>
            <TableCell align="right">{sum('net')}</TableCell>
          </TableRow>
        </TableBody>
      </Table>
    </TableContainer>
  )
}

interface SalesByProps {
  dimension: Exclude<Dimension, 'day'>
  title: string
  span: Span
}

function SalesBy({ dimension, title, span }: SalesByProps) {
  return (
    <Panel title={title} actions={<CsvButton dimension={dimension} span={span} />}>
      <Fetched<Report> path={pathOf(dimension, span, shownMax)} of="orders">
        {({ data, total }) =>
          data.length === 0 ? (
            <Nothing>Nothing was sold in this time.</Nothing>
          ) : (
            <>
              <NameBars title={title} bars={data.map(namedBar)} />
              {total > data.length && (
                <Typography variant="caption">
                  The first {data.length} of {countText(total, false)}; the CSV file has all.
                </Typography>
              )}
            </>
          )
        }
      </Fetched>
    </Panel>
  )
}

function namedBar(line: Line): Bar {
  const text = `${formatMoney(line.net)} · ${line.quantity} pieces`
  return { label: line.name ?? line.key ?? 'none', value: line.net.amount, text }
}

/** Without it Excel takes UTF-8 for another encoding, and shows names as rubbish. */
const byteOrderMark = '\ufeff'

/** The whole report as a file; a plain link would not carry the token. */
function CsvButton({ dimension, span }: { dimension: Dimension; span: Span }) {
  const notify = useNotify()
  const [isBusy, setBusy] = useState(false)
  const download = async () => {
    setBusy(true)
    try {
      const headers = { accept: 'text/csv' }
      const response = await send(csvPath(dimension, span), { headers })
      const link = document.createElement('a')
      link.href = URL.createObjectURL(new Blob([byteOrderMark, await response.blob()]))
      link.download = `sales-by-${dimension}.csv`
      link.click()
      URL.revokeObjectURL(link.href)
    } catch (error) {
      notify(error instanceof Error ? error.message : String(error), { type: 'error' })
    } finally {
      setBusy(false)
    }
  }
  return (
    <Button onClick={download} disabled={isBusy} aria-label={`Sales by ${dimension} as CSV`}>
      CSV
    </Button>
  )
}
