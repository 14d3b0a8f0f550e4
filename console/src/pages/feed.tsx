// The live feed: what happens to orders, as it happens.
import { Alert, List, ListItem, ListItemButton, ListItemText } from '@mui/material'
import { useLiveFeed } from '../parts/live.tsx'
import { Nothing, Page, Panel } from '../parts/panel.tsx'
import { StatusChip, timeText } from '../parts/status.tsx'

export function FeedPage() {
  return (
    <Page title="Live feed">
      <FeedPanel shownMax={200} />
    </Page>
  )
}

export function FeedPanel({ shownMax }: { shownMax: number }) {
  const { state, updates } = useLiveFeed()
  return (
    <Panel title="Live feed">
      {state === 'waiting' && (
        <Alert severity="warning">
          The connection is away. It comes back by itself, with what was missed.
        </Alert>
      )}
      {updates.length === 0 && (
        <Nothing>
          Nothing since this page was opened: the next change of an order appears here.
        </Nothing>
      )}
      <List dense aria-label="Live feed" aria-live="polite">
        {updates.slice(0, shownMax).map(update => (
          <ListItem key={update.position} disablePadding>
            <ListItemButton component="a" href={`#/orders/${update.orderId}/show`}>
              <ListItemText
                primary={`${update.orderNumber}: ${update.previousStatus ?? 'new'} → ${update.status}`}
                secondary={timeText(update.at)}
              />
              <StatusChip status={update.status} />
            </ListItemButton>
          </ListItem>
        ))}
      </List>
    </Panel>
  )
}
