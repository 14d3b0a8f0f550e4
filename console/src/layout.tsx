// The frame of all pages: the bar with the live dot, and the menu that the roles allow.

import Balance from '@mui/icons-material/Balance'
import BarChart from '@mui/icons-material/BarChart'
import Category from '@mui/icons-material/Category'
import Inventory from '@mui/icons-material/Inventory'
import Mail from '@mui/icons-material/Mail'
import People from '@mui/icons-material/People'
import Replay from '@mui/icons-material/Replay'
import RssFeed from '@mui/icons-material/RssFeed'
import ShoppingCart from '@mui/icons-material/ShoppingCart'
import Storage from '@mui/icons-material/Storage'
import UploadFile from '@mui/icons-material/UploadFile'
import Warning from '@mui/icons-material/Warning'
import type { ReactElement, ReactNode } from 'react'
import { AppBar, Layout as Frame, Menu, TitlePortal, usePermissions } from 'react-admin'
import { may } from './api/access.ts'
import { SearchBox } from './pages/search.tsx'
import { LiveDot, LiveFeedProvider } from './parts/live.tsx'
import { SignInAgain } from './parts/signInAgain.tsx'

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
      </Frame>
    </LiveFeedProvider>
  )
}

function Bar() {
  return (
    <AppBar>
      <TitlePortal />
      <SearchBox />
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
