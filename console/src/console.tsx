// The console: its pages, and what they are made of.
import { QueryClient } from '@tanstack/react-query'
import { Admin, CustomRoutes, defaultLightTheme, HttpError, Resource } from 'react-admin'
import { Route } from 'react-router-dom'
import { authProvider } from './api/authProvider.ts'
import { dataProvider } from './api/dataProvider.ts'
import { Layout } from './layout.tsx'
import { AuditPage } from './pages/audit.tsx'
import { CategoryCreate, CategoryEdit, CategoryList } from './pages/categories.tsx'
import { Dashboard } from './pages/dashboard.tsx'
import { DisputesPage } from './pages/disputes.tsx'
import { FeedPage } from './pages/feed.tsx'
import { ImportList, ImportShow } from './pages/imports.tsx'
import { LowStockPage } from './pages/lowStock.tsx'
import { MailList } from './pages/mails.tsx'
import { OrderShow } from './pages/orderPage.tsx'
import { OrderList } from './pages/orders.tsx'
import { ProductCreate, ProductEdit, ProductShow } from './pages/productForms.tsx'
import { ProductList } from './pages/products.tsx'
import { ProjectionsPage } from './pages/projections.tsx'
import { RefundsPage } from './pages/refunds.tsx'
import { SalesPage } from './pages/sales.tsx'
import { SearchPage } from './pages/search.tsx'
import { UserEdit, UserList, UserShow } from './pages/users.tsx'

/** A request is made, and fails, at once also where the browser takes itself for offline. */
const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: 'always',
      retry: (failures, error) => failures < 1 && !(error instanceof HttpError),
    },
    mutations: { networkMode: 'always' },
  },
})

const theme = {
  ...defaultLightTheme,
  // Dark enough to be read as text on white and on a row under the mouse: 4.5 to 1 (WCAG AA).
  palette: {
    ...defaultLightTheme.palette,
    primary: { main: '#0d5bb5' },
    secondary: { main: '#1565c0' },
    warning: { main: '#a84300' },
    info: { main: '#01579b' },
  },
  components: {
    ...defaultLightTheme.components,
    // A visible focus ring on every control, for keyboard users.
    MuiCssBaseline: {
      styleOverrides: {
        ':focus-visible, .Mui-focusVisible': {
          outline: '3px solid #1565c0 !important',
          outlineOffset: '-3px',
        },
      },
    },
  },
}

export function Console() {
  return (
    <Admin
      title="Orderstream"
      authProvider={authProvider}
      dataProvider={dataProvider}
      queryClient={queryClient}
      theme={theme}
      darkTheme={null}
      dashboard={Dashboard}
      layout={Layout}
      disableTelemetry
      requireAuth
    >
      <Resource
        name="orders"
        list={OrderList}
        show={OrderShow}
        recordRepresentation="orderNumber"
      />
      <Resource
        name="products"
        list={ProductList}
        create={ProductCreate}
        edit={ProductEdit}
        show={ProductShow}
        recordRepresentation="name"
      />
      <Resource
        name="categories"
        list={CategoryList}
        create={CategoryCreate}
        edit={CategoryEdit}
        recordRepresentation="name"
      />
      <Resource name="imports" list={ImportList} show={ImportShow} />
      <Resource name="mails" list={MailList} />
      <Resource
        name="users"
        options={{ label: 'People' }}
        list={UserList}
        edit={UserEdit}
        show={UserShow}
        recordRepresentation="username"
      />
      <CustomRoutes>
        <Route path="/feed" element={<FeedPage />} />
        <Route path="/low-stock" element={<LowStockPage />} />
        <Route path="/search" element={<SearchPage />} />
        <Route path="/refunds" element={<RefundsPage />} />
        <Route path="/disputes" element={<DisputesPage />} />
        <Route path="/audit" element={<AuditPage />} />
        <Route path="/sales" element={<SalesPage />} />
        <Route path="/projections" element={<ProjectionsPage />} />
      </CustomRoutes>
    </Admin>
  )
}
