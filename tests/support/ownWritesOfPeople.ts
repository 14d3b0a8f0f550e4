// Of every route that writes to accounts and to what runs the shop: what the writer is shown
// elsewhere, or why nobody is shown anything.

import { randomUUID } from 'node:crypto'
import type { Position } from '../../src/kit/position.ts'
import { confirmToken, resetLink } from './accountMails.ts'
import {
  at,
  fields,
  type OwnWrite,
  orderBy,
  patiently,
  productOf,
  type Scene,
  somebodyNew,
  statuses,
  type Unread,
} from './ownWriteScene.ts'
import { callBack } from './payments.ts'
import { password } from './testApp.ts'
import { waitFor } from './waitFor.ts'

const newPassword = 'a staple for the horse'
const tokenOf = (written: Parameters<typeof at>[0]) => String(at(written, 'tokens.access'))

const changesProfile =
  (method: 'put' | 'patch'): OwnWrite =>
  async on => {
    const who = await on.customer(`profile ${method}`)
    const [city, firstName] = [randomUUID(), randomUUID()]
    return {
      write: () => who.here[method]('/auth/profile', { city, firstName }),
      seen: () =>
        fields(
          [who.there.get('/auth/profile'), 'city'],
          [who.there.get('/auth/export'), 'profile.firstName'],
        ),
      expected: [city, firstName],
    }
  }

async function webhookOf({ admin }: Scene) {
  const asked = { url: 'https://hooks.invalid/a', events: ['order.paid'] }
  return (await admin.here.post('/admin/webhooks', asked)).body.id
}

/** A mail that could not be delivered, and whether it is on the list of those. */
async function mailFor(on: Scene, verb: string) {
  const id = randomUUID()
  const orderId = await orderBy(on, await on.customer(`mail ${verb}`))
  await on.app.back.pool.query(
    `insert into shop.mails (event_id, template, account, order_id, state, attempts)
    values ($1, 'order-paid', false, $2, 'undeliverable', 1)`,
    [id, orderId],
  )
  const open = async () => {
    const list = await on.admin.there.get('/admin/mails?state=undeliverable&pageSize=100')
    return list.body.data.some(each => each.orderId === orderId)
  }
  const list = '/admin/mails?state=undeliverable&pageSize=100'
  const { data } = (await patiently(() => on.admin.here.get(list))).body
  return { mailId: String(data.find(each => each.orderId === orderId)?.id), open }
}

const decidesMail =
  (verb: 'retry' | 'drop'): OwnWrite =>
  async on => {
    const { mailId, open } = await mailFor(on, verb)
    return {
      write: () => on.admin.here.post(`/admin/mails/${mailId}/${verb}`),
      seen: open,
      expected: false,
    }
  }

/** An event that a reaction has nothing to do for, parked as if it could not be handled. */
const decidesParked =
  (verb: 'retry' | 'skip'): OwnWrite =>
  async on => {
    const id = await productOf(on)
    const path = '/admin/projections/imageOutbox/parked'
    const { rows } = await on.app.back.pool.query<{ position: Position }>(
      `insert into shop.parked_events (name, position, stream, type, error)
      select 'imageOutbox', position, stream, type, 'stuck' from eventstore.events
      where stream = $1 and revision = 0 returning position`,
      [`product-${id}`],
    )
    const position = String(rows[0]?.position)
    return {
      waits: true,
      write: () => on.admin.here.post(`${path}/${position}/${verb}`, { reason: 'By hand' }),
      seen: async () => {
        const { data } = (await on.admin.there.get(`${path}?limit=100`)).body
        return data.some(each => each.position === position)
      },
      expected: false,
    }
  }

const newSku = () => `IMP-${randomUUID()}`.toUpperCase()

function upload({ admin }: Scene, skus: readonly string[]) {
  const headers = { 'content-type': 'text/csv' }
  const file = ['sku,name,price', ...skus.map(sku => `${sku},Pen,1.00`), ''].join('\n')
  return admin.here.post('/products/imports', file, { headers })
}

/** The status of an import once it is this one. */
async function becomes({ admin }: Scene, id: string, wanted: string) {
  return waitFor(`an import that is ${wanted}`, async () => {
    const { status } = (await admin.here.get(`/products/imports/${id}`)).body
    return status === wanted ? status : undefined
  })
}

/** Those that hash passwords or wait for mails: the first round alone has them in `npm test`. */
export const costly: ReadonlySet<string> = new Set([
  ...['POST /api/auth/register', 'POST /api/auth/login', 'POST /api/auth/logout'],
  ...['POST /api/auth/token/refresh', 'DELETE /api/auth/sessions/{id}'],
  ...['POST /api/auth/email/confirm', 'POST /api/auth/password/change'],
  ...['POST /api/auth/password/reset/confirm', 'DELETE /api/auth/profile'],
  ...['PATCH /api/admin/users/{customerId}', 'POST /api/admin/users/{customerId}/erase'],
])

export const ownWritesOfPeople: Record<string, OwnWrite | Unread> = {
  'POST /api/auth/register': async on => {
    const who = somebodyNew()
    return {
      write: () => on.here.post('/auth/register', who),
      seen: written => {
        const { there } = on.with(tokenOf(written))
        return fields(
          [there.get('/auth/profile'), 'username'],
          [there.get('/auth/export'), 'profile.username'],
          [there.get('/cart'), 'itemCount'],
        )
      },
      expected: [who.username, who.username, 0],
    }
  },
  'POST /api/auth/login': async on => {
    const who = await on.customer()
    const guest = await on.here.post('/cart/items', {
      productId: await productOf(on),
      quantity: 3,
    })
    const headers = { 'x-cart-token': guest.headers.get('x-cart-token') ?? '' }
    return {
      write: () => on.here.post('/auth/login', { email: who.email, password }, { headers }),
      seen: written => {
        const { there } = on.with(tokenOf(written))
        return fields(
          [there.get('/auth/sessions'), 'total'],
          [there.get('/auth/profile'), 'id'],
          [there.get('/cart'), 'itemCount'],
        )
      },
      expected: [2, who.id, 3],
    }
  },
  'POST /api/auth/logout': async on => {
    const who = await on.customer()
    const { body } = await on.here.post('/auth/login', { email: who.email, password })
    const other = on.with(String(Object(body.tokens).access))
    return {
      write: () => other.here.post('/auth/logout', { refresh: Object(body.tokens).refresh }),
      seen: () => fields([who.there.get('/auth/sessions'), 'total']),
      expected: [1],
    }
  },
  'POST /api/auth/token/refresh': async on => {
    const { refresh, id } = await on.customer()
    return {
      write: () => on.here.post('/auth/token/refresh', { refresh }),
      seen: written => {
        const access = at(written, 'access') ?? at(written, 'tokens.access')
        return fields([on.with(String(access)).there.get('/auth/profile'), 'id'])
      },
      expected: [id],
    }
  },
  'DELETE /api/auth/sessions/{id}': async on => {
    const who = await on.customer()
    await on.here.post('/auth/login', { email: who.email, password })
    const { data } = (await who.here.get('/auth/sessions')).body
    const other = data.find(({ current }) => current === false)
    return {
      write: () => who.here.delete(`/auth/sessions/${other?.id}`),
      seen: () => fields([who.there.get('/auth/sessions'), 'total']),
      expected: [1],
    }
  },
  'POST /api/auth/tickets': { unread: 'a ticket is read once, by the WebSocket that it opens' },
  'POST /api/auth/email/resend': { unread: 'it sends a mail' },
  'POST /api/auth/password/reset': { unread: 'it sends a mail, or tells nobody that it does not' },
  'POST /api/auth/email/confirm': async on => {
    const who = await on.customer()
    const email = `new-${who.email}`
    await who.here.patch('/auth/profile', { email, currentPassword: password })
    const token = await confirmToken(on.app, email)
    return {
      write: () => on.here.post('/auth/email/confirm', { token }),
      seen: async () => [
        ...(await fields([who.there.get('/auth/profile'), 'email'])),
        ...(await statuses(on.there.post('/auth/login', { email, password }))),
      ],
      expected: [email, 200],
    }
  },
  'POST /api/auth/password/change': async on => {
    const who = await on.customer()
    return {
      write: () => who.here.post('/auth/password/change', { oldPassword: password, newPassword }),
      seen: () =>
        statuses(
          on.there.post('/auth/login', { email: who.email, password: newPassword }),
          on.there.post('/auth/login', { email: who.email, password }),
        ),
      expected: [200, 401],
    }
  },
  'POST /api/auth/password/reset/confirm': async on => {
    const who = await on.app.person()
    const { uid, token } = await resetLink(on.app, who)
    return {
      write: () => on.here.post('/auth/password/reset/confirm', { uid, token, newPassword }),
      seen: () =>
        statuses(
          on.there.post('/auth/login', { email: who.email, password: newPassword }),
          on.there.post('/auth/login', { email: who.email, password }),
        ),
      expected: [200, 401],
    }
  },
  'PUT /api/auth/profile': changesProfile('put'),
  'PATCH /api/auth/profile': changesProfile('patch'),
  'DELETE /api/auth/profile': async on => {
    const who = await on.customer()
    return {
      waits: true,
      write: () => who.here.delete('/auth/profile', { password }),
      seen: () => statuses(on.there.post('/auth/login', { email: who.email, password })),
      expected: [401],
    }
  },
  'PATCH /api/admin/users/{customerId}': async on => {
    const { id } = await on.customer()
    const { there } = on.admin
    await on.admin.here.get(`/admin/users/${id}`, { after: await on.app.back.eventStore.head() })
    return {
      write: () => on.admin.here.patch(`/admin/users/${id}`, { roles: ['customer', 'support'] }),
      seen: () =>
        fields(
          [there.get(`/admin/users/${id}`), 'roles.1'],
          [there.get(`/audit/customers/${id}`), 'state.roles.1'],
        ),
      expected: ['support', 'support'],
    }
  },
  'POST /api/admin/users/{customerId}/erase': async on => {
    const { id } = await on.customer()
    return {
      waits: true,
      write: () => on.admin.here.post(`/admin/users/${id}/erase`, { requestReference: 'T 1' }),
      seen: () =>
        fields(
          [on.admin.there.get(`/admin/users/${id}`), 'erased'],
          [on.admin.there.get(`/admin/users/${id}/erasure`), 'customerId'],
        ),
      expected: [true, id],
    }
  },
  'POST /api/admin/mails/{mailId}/retry': decidesMail('retry'),
  'POST /api/admin/mails/{mailId}/drop': decidesMail('drop'),
  'POST /api/admin/projections/{name}/parked/{position}/retry': decidesParked('retry'),
  'POST /api/admin/projections/{name}/parked/{position}/skip': decidesParked('skip'),
  'POST /api/admin/projections/{name}/rebuild': async ({ admin }) => ({
    write: () => admin.here.post('/admin/projections/priceHistory/rebuild'),
    seen: () => statuses(admin.there.get('/admin/projections/priceHistory/rebuild')),
    expected: [200],
  }),
  'POST /api/admin/queues/session': { unread: 'it sets a cookie' },
  'POST /api/admin/webhooks': async ({ admin }) => ({
    write: () =>
      admin.here.post('/admin/webhooks', {
        url: 'https://hooks.invalid/b',
        events: ['order.paid'],
      }),
    seen: async ({ body }) => [
      ...(await statuses(admin.there.get(`/admin/webhooks/${body.id}`))),
      (await admin.there.get('/admin/webhooks')).body.data.some(({ id }) => id === body.id),
      ...(await statuses(admin.there.delete(`/admin/webhooks/${body.id}`))),
    ],
    expected: [200, true, 204],
  }),
  'PATCH /api/admin/webhooks/{webhookId}': async on => {
    const id = await webhookOf(on)
    return {
      write: () => on.admin.here.patch(`/admin/webhooks/${id}`, { enabled: false }),
      seen: async () => [
        ...(await fields([on.admin.there.get(`/admin/webhooks/${id}`), 'enabled'])),
        ...(await statuses(on.admin.there.delete(`/admin/webhooks/${id}`))),
      ],
      expected: [false, 204],
    }
  },
  'DELETE /api/admin/webhooks/{webhookId}': async on => {
    const id = await webhookOf(on)
    return {
      write: () => on.admin.here.delete(`/admin/webhooks/${id}`),
      seen: () => statuses(on.admin.there.get(`/admin/webhooks/${id}`)),
      expected: [404],
    }
  },
  'POST /api/admin/webhooks/{webhookId}/secret': {
    unread: 'the secret is in the answer, and nowhere else',
  },
  'POST /api/admin/webhooks/{webhookId}/replay': async on => {
    const id = await webhookOf(on)
    return {
      write: () => on.admin.here.post(`/admin/webhooks/${id}/replay`, { from: '1', to: '1' }),
      seen: () => statuses(on.admin.there.get(`/admin/webhooks/${id}/deliveries`)),
      expected: [200],
    }
  },
  'POST /api/admin/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver': async on => {
    const id = await webhookOf(on)
    const deliveryId = randomUUID()
    await on.app.back.pool.query(
      `insert into shop.webhook_deliveries
        (delivery_id, endpoint_id, event_id, position, type, message, trace, status)
      values ($1, $2, $1, 1, 'order.paid', '{}', '', 'dead')`,
      [deliveryId, id],
    )
    const path = `/admin/webhooks/${id}/deliveries`
    await on.admin.here.patch(`/admin/webhooks/${id}`, { enabled: false })
    return {
      write: () => on.admin.here.post(`${path}/${deliveryId}/redeliver`),
      seen: async () => [
        ...(await fields([on.admin.there.get(path), 'data.0.status'])),
        ...(await statuses(on.admin.there.delete(`/admin/webhooks/${id}`))),
      ],
      expected: ['pending', 204],
    }
  },
  'POST /api/admin/payment-findings/{findingId}/resolve': async on => {
    const orderId = await orderBy(on, await on.customer('finding'))
    const told = { refund: randomUUID(), amount: 999_999, currency: 'GBP' }
    await callBack(on.app, { type: 'refund.made', orderId, ...told })
    const list = '/admin/payment-findings?state=open&pageSize=100'
    const { data } = (await on.admin.here.get(list)).body
    const id = String(data.find(each => each.orderId === orderId)?.id)
    return {
      write: () => on.admin.here.post(`/admin/payment-findings/${id}/resolve`),
      seen: async () => (await on.admin.there.get(list)).body.data.some(each => each.id === id),
      expected: false,
    }
  },
  'POST /api/webhooks/payments/{provider}': { unread: 'the provider asks the shop for nothing' },
  'POST /api/products/imports': async on => {
    const sku = newSku()
    return {
      write: async () => {
        const answer = await upload(on, [sku])
        await becomes(on, answer.body.id, 'finished')
        return answer
      },
      seen: async ({ body }) => [
        ...(await fields(
          [on.admin.there.get(`/products/imports/${body.id}`), 'status'],
          [on.admin.there.get(`/products?search=${sku}`), 'total'],
        )),
      ],
      expected: ['finished', 1],
    }
  },
  'DELETE /api/products/imports/{importId}': async on => {
    const skus = Array.from({ length: 2_000 }, newSku)
    return {
      write: async () => {
        const { id } = (await upload(on, skus)).body
        return on.admin.here.delete(`/products/imports/${id}`)
      },
      seen: async ({ body }) => {
        const { status } = (await on.admin.there.get(`/products/imports/${body.id}`)).body
        return /^cancel/.test(String(status))
      },
      expected: true,
    }
  },
  'POST /api/products/imports/{importId}/undo': async on => {
    const sku = newSku()
    const { id } = (await upload(on, [sku])).body
    await becomes(on, id, 'finished')
    const path = `/products/imports/${id}`
    return {
      write: async () => {
        const answer = await on.admin.here.post(`${path}/undo`)
        await becomes(on, id, 'undone')
        return answer
      },
      seen: () =>
        fields(
          [on.admin.there.get(path), 'status'],
          [on.admin.there.get(`/products?search=${sku}`), 'total'],
        ),
      expected: ['undone', 0],
    }
  },
}
