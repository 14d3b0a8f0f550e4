// Disputes with their deadlines, and what the payment provider told that somebody has to see to.
import {
  Button,
  Table,
  TableBody,
  TableCell,
  TableContainer,
  TableHead,
  TableRow,
  Typography,
} from '@mui/material'
import { useState } from 'react'
import { useCanAccess } from 'react-admin'
import { ask } from '../api/request.ts'
import type { Dispute, PaymentFinding } from '../api/shapes.ts'
import { formatMoney } from '../money.ts'
import { AskDialog } from '../parts/ask.tsx'
import { type Found, Listed, OrderLink, shownMax } from '../parts/listed.tsx'
import { Fetched, Page, Panel } from '../parts/panel.tsx'
import { timeText } from '../parts/status.tsx'

export function DisputesPage() {
  const { canAccess: maySeeFindings } = useCanAccess({ resource: 'findings', action: 'list' })
  return (
    <Page title="Disputes">
      <Panel title="Disputes">
        <Fetched<Found<Dispute>> path={`/admin/disputes?pageSize=${shownMax}`} of="orders">
          {found => (
            <Listed found={found} none="No customer has disputed a payment.">
              <Disputes disputes={found.data} />
            </Listed>
          )}
        </Fetched>
      </Panel>
      {maySeeFindings && <Findings />}
    </Page>
  )
}

function Findings() {
  const path = `/admin/payment-findings?state=open&pageSize=${shownMax}`
  return (
    <Panel title="From the payment provider, to be seen to">
      <Fetched<Found<PaymentFinding>> path={path} of="orders">
        {found => (
          <Listed found={found} none="Everything that the provider told is booked.">
            <FindingTable findings={found.data} />
          </Listed>
        )}
      </Fetched>
    </Panel>
  )
}

/** `needs_response` → "needs response" */
const inWords = (code: string) => code.replaceAll('_', ' ')

function Disputes({ disputes }: { disputes: readonly Dispute[] }) {
  return (
    <TableContainer>
      <Table size="small">
        <TableHead>
          <TableRow>
            <TableCell>Order</TableCell>
            <TableCell align="right">Amount</TableCell>
            <TableCell>State</TableCell>
            <TableCell>Reason</TableCell>
            <TableCell>Answer by</TableCell>
            <TableCell>At the provider</TableCell>
          </TableRow>
        </TableHead>
        <TableBody>
          {disputes.map(dispute => (
            <TableRow key={dispute.id}>
              <TableCell>
                <OrderLink {...dispute} />
              </TableCell>
              <TableCell align="right">{formatMoney(dispute.amount)}</TableCell>
              <TableCell>{inWords(dispute.state)}</TableCell>
              <TableCell>{inWords(dispute.reason)}</TableCell>
              <TableCell>{dispute.dueBy === null ? '–' : timeText(dispute.dueBy)}</TableCell>
              <TableCell>{`${dispute.provider} ${dispute.reference}`}</TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  )
}

function FindingTable({ findings }: { findings: readonly PaymentFinding[] }) {
  const mayResolve = useCanAccess({ resource: 'findings', action: 'edit' }).canAccess === true
  const [resolving, setResolving] = useState<PaymentFinding>()
  return (
    <TableContainer>
      <Table size="small">
        <TableHead>
          <TableRow>
            <TableCell>What</TableCell>
            <TableCell align="right">Amount</TableCell>
            <TableCell>Why</TableCell>
            <TableCell>Order</TableCell>
            <TableCell>Since</TableCell>
            <TableCell />
          </TableRow>
        </TableHead>
        <TableBody>
          {findings.map(finding => (
            <TableRow key={finding.id}>
              <TableCell>{`${finding.kind} ${finding.reference}`}</TableCell>
              <TableCell align="right">
                {finding.amount === null ? '–' : formatMoney(finding.amount)}
              </TableCell>
              <TableCell>{finding.detail}</TableCell>
              <TableCell>
                <OrderLink {...finding} />
              </TableCell>
              <TableCell>{timeText(finding.foundAt)}</TableCell>
              <TableCell>
                {mayResolve && (
                  <Button
                    aria-label={`Seen to: ${finding.kind} ${finding.reference}`}
                    sx={{ whiteSpace: 'nowrap' }}
                    onClick={() => setResolving(finding)}
                  >
                    Seen to
                  </Button>
                )}
              </TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
      {resolving && <ResolveDialog finding={resolving} close={() => setResolving(undefined)} />}
    </TableContainer>
  )
}

function ResolveDialog({ finding, close }: { finding: PaymentFinding; close(): void }) {
  return (
    <AskDialog
      title={`Has somebody seen to the ${finding.kind} ${finding.reference}?`}
      verb="It is seen to"
      done="The finding is resolved"
      send={key => ask(`/admin/payment-findings/${finding.id}/resolve`, { method: 'POST', key })}
      close={close}
    >
      <Typography>{finding.detail}</Typography>
    </AskDialog>
  )
}
