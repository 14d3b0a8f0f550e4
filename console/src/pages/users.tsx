// People: found by name, address or role; their roles, and whether they may come in.
import { Box, Chip, Stack, Typography, useMediaQuery } from '@mui/material'
import type { Theme } from '@mui/material/styles'
import {
  BooleanField,
  BooleanInput,
  CheckboxGroupInput,
  DataTable,
  DateField,
  FunctionField,
  SelectInput,
  SimpleList,
  SimpleShowLayout,
  TextField,
  useRecordContext,
} from 'react-admin'
import type { Role } from '../../../src/domain/kernel/types.ts'
import type { User } from '../api/shapes.ts'
import { listSearch } from '../parts/listSearch.tsx'
import { RecordEdit, RecordForm } from '../parts/recordForms.tsx'
import { RecordList, RecordTable } from '../parts/recordList.tsx'
import { RecordShow } from '../parts/recordShow.tsx'
import { useRowClick } from '../parts/rowClick.ts'
import { PersonalDataPanel } from './personActions.tsx'

const roles: readonly Role[] = ['customer', 'support', 'warehouse', 'auditor', 'admin']
const choices = roles.map(id => ({ id, name: id }))
const filters = [
  listSearch({ placeholder: 'Name or address' }),
  <SelectInput key="role" source="role" choices={choices} />,
  <BooleanInput key="disabled" source="disabled" label="Locked out" />,
]

export function UserList() {
  const isSmall = useMediaQuery<Theme>(theme => theme.breakpoints.down('md'))
  const rowClick = useRowClick('users')
  return (
    <RecordList filters={filters} sort={{ field: '', order: 'DESC' }}>
      {isSmall ? (
        <SimpleList<User>
          rowClick={rowClick}
          primaryText={user => user.username}
          secondaryText={addressOf}
          tertiaryText={user => (user.disabled ? 'locked out' : user.roles.join(', '))}
        />
      ) : (
        <Table opens={rowClick} />
      )}
    </RecordList>
  )
}

/** Somebody may have given no address; only who was erased is said to be. */
function addressOf({ email, erased }: User): string {
  if (erased) return 'erased'
  return email ?? 'no e-mail'
}

function Table({ opens }: { opens: 'edit' | 'show' }) {
  return (
    <RecordTable<User> opens={opens} heading="Name" name={user => user.username}>
      <DataTable.Col source="email" label="E-mail" disableSort render={addressOf} />
      <DataTable.Col source="roles" disableSort>
        <Roles />
      </DataTable.Col>
      <DataTable.Col source="disabled" label="Locked out" disableSort>
        <BooleanField source="disabled" />
      </DataTable.Col>
      <DataTable.Col source="registeredAt" label="Registered" disableSort>
        <DateField source="registeredAt" showTime />
      </DataTable.Col>
    </RecordTable>
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
    <RecordShow title={<UserTitle />}>
      <SimpleShowLayout>
        <TextField source="username" label="Name" />
        <FunctionField<User> label="E-mail" render={addressOf} />
        <TextField source="firstName" emptyText="–" />
        <TextField source="lastName" emptyText="–" />
        <Roles />
        <BooleanField source="disabled" label="Locked out" />
        <DateField source="registeredAt" showTime />
      </SimpleShowLayout>
      <OrdersOfUser />
      <Requests />
    </RecordShow>
  )
}

export function UserEdit() {
  return (
    <RecordEdit resource="users" title={<UserTitle />}>
      <Rights />
      <OrdersOfUser />
      <Requests />
    </RecordEdit>
  )
}

/** What somebody may do; nobody who was erased can be given anything. */
function Rights() {
  const user = useRecordContext<User>()
  if (user?.erased) {
    return (
      <Box sx={{ p: 2 }}>
        <CurrentRecord />
      </Box>
    )
  }
  return (
    <RecordForm>
      <CurrentRecord />
      <CheckboxGroupInput source="roles" choices={choices} helperText="They count at once." />
      <BooleanInput
        source="disabled"
        label="Locked out"
        helperText="Ends all sessions, and lets nobody in until it is taken back."
      />
    </RecordForm>
  )
}

function CurrentRecord() {
  const user = useRecordContext<User>()
  const name = [user?.firstName, user?.lastName].filter(Boolean).join(' ')
  return (
    <Typography sx={{ mb: 2 }}>
      {user?.username} {name && `(${name})`} · {user && addressOf(user)}
    </Typography>
  )
}

function Requests() {
  return (
    <Box sx={{ p: { xs: 1, sm: 2 } }}>
      <PersonalDataPanel />
    </Box>
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
