// What was sold: by day, product, category, country and customer, as charts, figures and CSV.
import {
  Button,
  Grid,
  LinearProgress,
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

/** The last days, of which the last one is today where the shop is; 0 is all there ever was. */
interface Span {
  days: number
  timeZone: string
}

/** 2026-03-01: for hours it is another day in the shop than in UTC, or in this browser. */
function todayIn(timeZone: string): string {
  return new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' }).format(Date.now())
}

function firstOf({ days, timeZone }: Span): string {
  return dayOf(Date.parse(todayIn(timeZone)) - (days - 1) * dayMs)
}

function pathOf(by: Dimension, span: Span, limit = 10_000): string {
  return `${csvPath(by, span)}&limit=${limit}`
}

/** Without a limit: a file holds all lines. */
function csvPath(by: Dimension, span: Span): string {
  const from = span.days === 0 ? '' : `&from=${firstOf(span)}`
  return `/admin/reports/sales?by=${by}${from}`
}

/** Asks for the time zone of the shop first: a report says it. */
function InShopTime({ children }: { children(timeZone: string): ReactNode }) {
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

export function SalesPage() {
  const [days, setDays] = useState(30)
  return (
    <Page title="Sales">
      <TextField
        label="Time"
        select
        value={days}
        onChange={event => setDays(Number(event.target.value))}
        slotProps={{ select: { native: true } }}
        sx={{ maxWidth: 240 }}
      >
        {spans.map(span => (
          <option key={span} value={span}>
            {span === 0 ? 'all of it' : `the last ${span} days`}
          </option>
        ))}
      </TextField>
      <InShopTime>{timeZone => <Reports span={{ days, timeZone }} />}</InShopTime>
    </Page>
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
  return <InShopTime>{timeZone => <DayReport span={{ days, timeZone }} />}</InShopTime>
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
  const isAll = span.days === 0
  const first = isAll ? (lines[0]?.key ?? today) : firstOf(span)
  const all = daysBetween(first, isAll ? (lines.at(-1)?.key ?? today) : today)
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
  const download = async () => {
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
    }
  }
  return (
    <Button onClick={download} aria-label={`Sales by ${dimension} as CSV`}>
      CSV
    </Button>
  )
}
