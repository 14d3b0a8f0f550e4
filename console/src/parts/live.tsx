// The live feed, shared by all pages: lists of orders follow it, a dot in the bar says it is on.
import { Box, Tooltip } from '@mui/material'
import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { type Feed, followOrders } from '../api/liveFeed.ts'

const refreshMs = 1_000
const LiveFeed = createContext<Feed>({ state: 'connecting', updates: [] })

/** Follows all orders as long as it is shown. */
export function LiveFeedProvider({ children }: { children: ReactNode }) {
  const [feed, setFeed] = useState<Feed>({ state: 'connecting', updates: [] })
  const queries = useQueryClient()
  const newest = feed.updates[0]?.position
  useEffect(() => followOrders(setFeed), [])
  useEffect(() => {
    if (newest === undefined) return
    // Many at once are one look.
    const timer = setTimeout(() => queries.invalidateQueries({ queryKey: ['orders'] }), refreshMs)
    return () => clearTimeout(timer)
  }, [newest, queries])
  return <LiveFeed value={feed}>{children}</LiveFeed>
}

export function useLiveFeed(): Feed {
  return useContext(LiveFeed)
}

const words = {
  live: 'Live: order events arrive as they happen',
  connecting: 'Connecting to the live feed …',
  waiting: 'The live feed is away; trying again …',
}

/** Green while live, amber while not. */
export function LiveDot() {
  const { state } = useLiveFeed()
  const colour = state === 'live' ? 'success.light' : 'warning.light'
  return (
    <Tooltip title={words[state]}>
      <Box
        role="status"
        aria-label={words[state]}
        sx={{
          width: 14,
          height: 14,
          borderRadius: '50%',
          border: '2px solid white',
          bgcolor: colour,
          mx: 1,
        }}
      />
    </Tooltip>
  )
}
