// The frame of all pages: the bar with the live dot, and the menu that the roles allow.

import Balance from '@mui/icons-material/Balance'
import BarChart from '@mui/icons-material/BarChart'
import Category from '@mui/icons-material/Category'
import FactCheck from '@mui/icons-material/FactCheck'
import Inventory from '@mui/icons-material/Inventory'
import Mail from '@mui/icons-material/Mail'
import People from '@mui/icons-material/People'
import Replay from '@mui/icons-material/Replay'
import RssFeed from '@mui/icons-material/RssFeed'
import ShoppingCart from '@mui/icons-material/ShoppingCart'
import Storage from '@mui/icons-material/Storage'
import UploadFile from '@mui/icons-material/UploadFile'
import Warning from '@mui/icons-material/Warning'
import { Box, Typography } from '@mui/material'
import type { ReactElement, ReactNode } from 'react'
import { AppBar, Layout as Frame, Menu, TitlePortal, usePermissions } from 'react-admin'
import { may } from './api/access.ts'
import { SearchBox, SearchLink } from './pages/search.tsx'
import { LiveDot, LiveFeedProvider } from './parts/live.tsx'
import { SignInAgain } from './parts/signInAgain.tsx'
import { zoneText } from './parts/status.tsx'

/** In the order in which they are needed in a day. */
const pages: readonly { name: string; label: string; path: string; icon: ReactElement }[] = [
  { name: 'orders', label: 'Orders', path: '/orders', icon: <ShoppingCart /> },
  { name: 'feed', label: 'Live feed', path: '/feed', icon: <RssFeed /> },
  { name: 'refunds', label: 'Refunds', path: '/refunds', icon: <Replay /> },
  { name: 'disputes', label: 'Disputes', path: '/disputes', icon: <Balance /> },
  { name: 'products', label: 'Products', path: '/products', icon: <Inventory /> },
  { name: 'lowStock', label: 'Low in stock', path: '/low-stock', icon: <Warning /> },
  { name: 'categories', label: 'Categories', path: '/categories', icon: <Category /> },
  { name: 'imports', label: 'Imports', path: '/imports', icon: <UploadFile /> },
  { name: 'users', label: 'People', path: '/users', icon: <People /> },
  { name: 'mails', label: 'Mails', path: '/mails', icon: <Mail /> },
  { name: 'sales', label: 'Sales', path: '/sales', icon: <BarChart /> },
  { name: 'audit', label: 'Audit', path: '/audit', icon: <FactCheck /> },
  { name: 'projections', label: 'Read models', path: '/projections', icon: <Storage /> },
]

export function Layout({ children }: { children?: ReactNode }) {
  return (
    <LiveFeedProvider>
      {/* Wide tables scroll by themselves: they make no page wider than a phone. */}
      <Frame
        appBar={Bar}
        menu={Pages}
        sx={{ minWidth: 0, '& .RaLayout-content, & .RaLayout-appFrame': { minWidth: 0 } }}
      >
        <SignInAgain />
        {children}
        <Typography variant="caption" color="text.secondary" component="footer" sx={{ p: 1 }}>
          Times are those of this browser: {zoneText()}.
        </Typography>
      </Frame>
    </LiveFeedProvider>
  )
}

/** The title of the page is its first heading: parts of it are of the second level. */
const heading = { component: 'h1' } as const

function Bar() {
  return (
    <AppBar>
      <TitlePortal {...heading} />
      <Box sx={{ display: { xs: 'none', sm: 'block' } }}>
        <SearchBox />
      </Box>
      <SearchLink />
      <LiveDot />
    </AppBar>
  )
}

function Pages() {
  const { permissions: roles = [] } = usePermissions()
  return (
    <Menu>
      <Menu.DashboardItem primaryText="Today" />
      {pages
        .filter(({ name }) => may(roles, name, 'list'))
        .map(({ name, label, path, icon }) => (
          <Menu.Item key={name} to={path} primaryText={label} leftIcon={icon} />
        ))}
    </Menu>
  )
}
