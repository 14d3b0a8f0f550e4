// What happened to an order, in plain words, and for auditors the order as it was at each moment.
import { List, ListItem, ListItemText } from '@mui/material'
import { useCanAccess } from 'react-admin'
import type { History, Order, Step } from '../api/shapes.ts'
import { Fetched, Panel } from '../parts/panel.tsx'
import { timeText } from '../parts/status.tsx'
import { TimeTravel } from './timeTravel.tsx'

export function OrderHistoryPanel({ order }: { order: Order }) {
  const { canAccess } = useCanAccess({ resource: 'timeTravel', action: 'show' })
  return (
    <Panel title="What happened">
      <Fetched<History> path={`/orders/${order.id}/history`} of="orders">
        {({ data }) => (
          <>
            <Steps steps={data} />
            {canAccess && data.length > 0 && <TimeTravel order={order} steps={data} />}
          </>
        )}
      </Fetched>
    </Panel>
  )
}

function Steps({ steps }: { steps: readonly Step[] }) {
  return (
    <List dense aria-label="History">
      {steps.map(step => (
        <ListItem key={step.revision} disableGutters>
          <ListItemText
            primary={step.sentence}
            secondary={`${timeText(step.at)} · ${step.by} · ${step.event}`}
          />
        </ListItem>
      ))}
    </List>
  )
}
