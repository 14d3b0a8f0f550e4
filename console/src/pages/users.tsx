// People: found by name, address or role; their roles, and whether they may come in.
import { Chip, Stack, Typography, useMediaQuery } from '@mui/material'
import type { Theme } from '@mui/material/styles'
import {
  BooleanField,
  BooleanInput,
  CheckboxGroupInput,
  DataTable,
  DateField,
  Edit,
  List,
  SearchInput,
  SelectInput,
  Show,
  SimpleForm,
  SimpleList,
  SimpleShowLayout,
  TextField,
  useRecordContext,
} from 'react-admin'
import type { Role } from '../../../src/domain/types.ts'
import type { User } from '../api/shapes.ts'
import { useConflicts } from '../parts/conflict.tsx'
import { useRowClick } from '../parts/rowClick.ts'
import { WhenRead } from '../parts/whenRead.tsx'

const roles: readonly Role[] = ['customer', 'support', 'warehouse', 'auditor', 'admin']
const choices = roles.map(id => ({ id, name: id }))
const filters = [
  <SearchInput key="search" source="search" alwaysOn placeholder="Name or address" />,
  <SelectInput key="role" source="role" choices={choices} />,
  <BooleanInput key="disabled" source="disabled" label="Locked out" />,
]

export function UserList() {
  const isSmall = useMediaQuery<Theme>(theme => theme.breakpoints.down('md'))
  const rowClick = useRowClick('users')
  return (
    <List filters={filters} perPage={25} exporter={false} sort={{ field: '', order: 'DESC' }}>
      {isSmall ? (
        <SimpleList<User>
          rowClick={rowClick}
          primaryText={user => user.username}
          secondaryText={user => user.email ?? 'erased'}
          tertiaryText={user => (user.disabled ? 'locked out' : user.roles.join(', '))}
        />
      ) : (
        <Table rowClick={rowClick} />
      )}
    </List>
  )
}

function Table({ rowClick }: { rowClick: string }) {
  return (
    <DataTable<User> bulkActionButtons={false} rowClick={rowClick}>
      <DataTable.Col source="username" label="Name" disableSort />
      <DataTable.Col source="email" label="E-mail" disableSort />
      <DataTable.Col source="roles" disableSort>
        <Roles />
      </DataTable.Col>
      <DataTable.Col source="disabled" label="Locked out" disableSort>
        <BooleanField source="disabled" />
      </DataTable.Col>
      <DataTable.Col source="registeredAt" label="Registered" disableSort>
        <DateField source="registeredAt" showTime />
      </DataTable.Col>
    </DataTable>
  )
}

function Roles() {
  const user = useRecordContext<User>()
  return (
    <Stack direction="row" spacing={0.5}>
      {user?.roles.map(role => (
        <Chip key={role} size="small" label={role} />
      ))}
    </Stack>
  )
}

function UserTitle() {
  const user = useRecordContext<User>()
  return <span>{user?.username ?? 'User'}</span>
}

export function UserShow() {
  return (
    <Show title={<UserTitle />}>
      <SimpleShowLayout>
        <TextField source="username" label="Name" />
        <TextField source="email" label="E-mail" emptyText="erased" />
        <TextField source="firstName" emptyText="–" />
        <TextField source="lastName" emptyText="–" />
        <Roles />
        <BooleanField source="disabled" label="Locked out" />
        <DateField source="registeredAt" showTime />
      </SimpleShowLayout>
      <OrdersOfUser />
    </Show>
  )
}

export function UserEdit() {
  const { mutationOptions, dialog } = useConflicts('users')
  return (
    <Edit
      mutationMode="pessimistic"
      redirect={false}
      mutationOptions={mutationOptions}
      title={<UserTitle />}
    >
      <WhenRead>
        <SimpleForm>
          <Who />
          <CheckboxGroupInput source="roles" choices={choices} helperText="They count at once." />
          <BooleanInput
            source="disabled"
            label="Locked out"
            helperText="Ends all sessions, and lets nobody in until it is taken back."
          />
        </SimpleForm>
      </WhenRead>
      <OrdersOfUser />
      {dialog}
    </Edit>
  )
}

function Who() {
  const user = useRecordContext<User>()
  const name = [user?.firstName, user?.lastName].filter(Boolean).join(' ')
  return (
    <Typography sx={{ mb: 2 }}>
      {user?.username} {name && `(${name})`} · {user?.email ?? 'erased'}
    </Typography>
  )
}

function OrdersOfUser() {
  const user = useRecordContext<User>()
  if (user === undefined) return null
  const filter = encodeURIComponent(JSON.stringify({ customerId: user.id }))
  return (
    <Typography sx={{ p: 2 }}>
      <a
        href={`#/orders?filter=${filter}&displayedFilters=${encodeURIComponent('{"customerId":true}')}`}
      >
        Orders of {user.username}
      </a>
    </Typography>
  )
}
