// Of every route that writes to catalogue, carts and orders: what the writer is shown elsewhere.
import { randomUUID } from 'node:crypto'
import type { Answer } from './apiClient.ts'
import { delivery, gbp } from './goods.ts'
import {
  at,
  categoryOf,
  fields,
  multipart,
  type OwnWrite,
  orderBy,
  patiently,
  pictureForm,
  productOf,
  type Scene,
  statuses,
} from './ownWriteScene.ts'

/** Somebody with two pieces in their cart, who is in no other row. */
const ordered = async (on: Scene, name?: string) => {
  const who = await on.customer(name)
  await who.here.delete('/cart')
  const productId = await productOf(on)
  await who.here.post('/cart/items', { productId, quantity: 2 })
  return { who, productId }
}

const placing =
  (path: string): OwnWrite =>
  async on => {
    const { who } = await ordered(on)
    return {
      write: () => who.here.post(path, delivery),
      seen: ({ body }) =>
        fields(
          [who.there.get(`/orders/${body.id}`), 'status'],
          [who.there.get('/orders'), 'data.0.id'],
          [who.there.get(`/orders?search=${body.orderNumber}`), 'total'],
          [who.there.get(`/orders/${body.id}/history`), 'data.length'],
          [who.there.get('/cart'), 'itemCount'],
          [who.there.get('/auth/export'), 'orders.length'],
        ).then(([status, first, ...rest]) => [status, first === body.id, ...rest.map(Number)]),
      expected: ['pending', true, 1, 3, 0, 1],
    }
  }

const changesQuantity =
  (method: 'put' | 'patch'): OwnWrite =>
  async on => {
    const { who, productId } = await ordered(on, `cart ${method}`)
    return {
      write: () => who.here[method](`/cart/items/${productId}`, { quantity: 5 }),
      seen: () =>
        fields([who.there.get('/cart'), 'itemCount'], [who.there.get('/cart/total'), 'itemCount']),
      expected: [5, 5],
    }
  }

const renames =
  (method: 'put' | 'patch'): OwnWrite =>
  async on => {
    const id = await productOf(on)
    const name = `Ink ${randomUUID()}`
    const { there } = on.admin
    return {
      write: () => on.admin.here[method](`/products/${id}`, { name, price: gbp(700) }),
      seen: () =>
        fields(
          [there.get(`/products/${id}`), 'name'],
          [there.get(`/products?search=${encodeURIComponent(name)}`), 'data.0.id'],
          [there.get(`/products/${id}/price-history`), 'price.amount'],
          [there.get(`/audit/products/${id}`), 'state.name'],
          [there.get(`/audit/events?stream=product-${id}&type=PriceChanged`), 'data.0.type'],
        ),
      expected: [name, id, 700, name, 'PriceChanged'],
    }
  }

const renamesCategory =
  (method: 'put' | 'patch'): OwnWrite =>
  async on => {
    const id = await categoryOf(on)
    const name = `Shelf ${randomUUID()}`
    const productId = await productOf(on, { categoryId: id })
    const { there } = on.admin
    return {
      write: () => on.admin.here[method](`/categories/${id}`, { name }),
      seen: () =>
        fields(
          [there.get(`/categories/${id}`), 'name'],
          [there.get(`/products/${productId}`), 'category.name'],
        ),
      expected: [name, name],
    }
  }

/** The mails of one kind about an order. */
async function mailsAbout({ admin }: Scene, id: string, template: string): Promise<Answer> {
  const answer = await admin.there.get('/admin/mails?pageSize=100')
  const mails = answer.body.data.filter(each => each.orderId === id && each.template === template)
  return Object.assign(
    { ...answer },
    { body: Object.assign(answer.body, { length: mails.length }) },
  )
}

/** What is sold of a product, by the report. */
async function soldOf({ admin }: Scene, productId: string): Promise<unknown> {
  const { sku } = (await admin.there.get(`/products/${productId}`)).body
  const { data } = (await admin.there.get('/admin/reports/sales?by=product&limit=1000')).body
  return data.find(({ key }) => key === sku)?.quantity
}

const books =
  (path: string, body: object, onHand: number): OwnWrite =>
  async on => {
    const sku = `BOOK-${randomUUID()}`.toUpperCase()
    const id = await productOf(on, { stock: 5, sku })
    const { there } = on.admin
    return {
      write: () => on.admin.here.post(`/products/${id}/${path}`, body),
      seen: () =>
        fields(
          [there.get(`/products/${id}/stock`), 'onHand'],
          [there.get(`/products/${id}`), 'stock.onHand'],
          [there.get(`/audit/stock/${id}`), 'state.onHand'],
        ),
      expected: [onHand, onHand, onHand],
    }
  }

export const ownWritesOfShop: Record<string, OwnWrite> = {
  'POST /api/products': async ({ admin }) => {
    const sku = `OWN-${randomUUID()}`.toUpperCase()
    return {
      write: () => admin.here.post('/products', { name: 'Pen', sku, price: gbp(1), stock: 3 }),
      seen: ({ body }) =>
        fields(
          [admin.there.get(`/products/${body.id}`), 'sku'],
          [admin.there.get(`/products?search=${sku}`), 'data.0.sku'],
          [admin.there.get('/products/low-stock?threshold=4&pageSize=100'), 'data.length'],
          [admin.there.get(`/products/${body.id}/stock`), 'onHand'],
        ).then(([one, other, scarce, stock]) => [one, other, Number(scarce) > 0, stock]),
      expected: [sku, sku, true, 3],
    }
  },
  'PUT /api/products/{productId}': renames('put'),
  'PATCH /api/products/{productId}': renames('patch'),
  'DELETE /api/products/{productId}': async on => {
    const id = await productOf(on)
    return {
      write: () => on.admin.here.delete(`/products/${id}`),
      seen: () => fields([on.admin.there.get(`/products/${id}`), 'deleted']),
      expected: [true],
    }
  },
  'POST /api/products/{productId}/restore': async on => {
    const id = await productOf(on)
    await on.admin.here.delete(`/products/${id}`)
    return {
      write: () => on.admin.here.post(`/products/${id}/restore`),
      seen: () => fields([on.admin.there.get(`/products/${id}`), 'deleted']),
      expected: [false],
    }
  },
  'POST /api/products/{productId}/images': async on => {
    const id = await productOf(on)
    const form = await pictureForm()
    return {
      write: () => on.admin.here.post(`/products/${id}/images`, form, multipart),
      seen: () => fields([on.admin.there.get(`/products/${id}`), 'images.length']),
      expected: [1],
    }
  },
  'DELETE /api/products/{productId}/images/{imageId}': async on => {
    const id = await productOf(on)
    const form = await pictureForm()
    const made = await on.admin.here.post(`/products/${id}/images`, form, multipart)
    return {
      write: () => on.admin.here.delete(`/products/${id}/images/${at(made, 'image.id')}`),
      seen: () => fields([on.admin.there.get(`/products/${id}`), 'images.length']),
      expected: [0],
    }
  },
  'POST /api/products/{productId}/stock-adjustments': books(
    'stock-adjustments',
    { delta: 3, reason: 'received' },
    8,
  ),
  'POST /api/products/{productId}/stock-counts': books('stock-counts', { counted: 4 }, 4),
  'POST /api/categories': async ({ admin }) => {
    const name = `Shelf ${randomUUID()}`
    return {
      write: () => admin.here.post('/categories', { name }),
      seen: ({ body }) => fields([admin.there.get(`/categories/${body.id}`), 'name']),
      expected: [name],
    }
  },
  'PUT /api/categories/{categoryId}': renamesCategory('put'),
  'PATCH /api/categories/{categoryId}': renamesCategory('patch'),
  'DELETE /api/categories/{categoryId}': async on => {
    const id = await categoryOf(on)
    return {
      write: () => on.admin.here.delete(`/categories/${id}`),
      seen: () => statuses(on.admin.there.get(`/categories/${id}`)),
      expected: [404],
    }
  },
  'PUT /api/categories/{categoryId}/image': async on => {
    const id = await categoryOf(on)
    const form = await pictureForm()
    return {
      write: () => on.admin.here.put(`/categories/${id}/image`, form, multipart),
      seen: async written => [
        at(await on.admin.there.get(`/categories/${id}`), 'image.id') === at(written, 'image.id'),
      ],
      expected: [true],
    }
  },
  'DELETE /api/categories/{categoryId}/image': async on => {
    const id = await categoryOf(on)
    await on.admin.here.put(`/categories/${id}/image`, await pictureForm(), multipart)
    return {
      write: () => on.admin.here.delete(`/categories/${id}/image`),
      seen: () => fields([on.admin.there.get(`/categories/${id}`), 'image']),
      expected: [null],
    }
  },
  'POST /api/cart/items': async on => {
    const { who, productId } = await ordered(on, 'cart 3')
    return {
      write: () => who.here.post('/cart/items', { productId, quantity: 1 }),
      seen: () =>
        fields(
          [who.there.get('/cart'), 'itemCount'],
          [who.there.get('/cart/total'), 'itemCount'],
          [who.there.get('/auth/export'), 'carts.0.items.0.quantity'],
        ),
      expected: [3, 3, 3],
    }
  },
  'PUT /api/cart/items/{productId}': changesQuantity('put'),
  'PATCH /api/cart/items/{productId}': changesQuantity('patch'),
  'DELETE /api/cart/items/{productId}': async on => {
    const { who, productId } = await ordered(on, 'cart 4')
    return {
      write: () => who.here.delete(`/cart/items/${productId}`),
      seen: () => fields([who.there.get('/cart'), 'itemCount']),
      expected: [0],
    }
  },
  'DELETE /api/cart': async on => {
    const { who } = await ordered(on, 'cart 5')
    return {
      write: () => who.here.delete('/cart'),
      seen: () => fields([who.there.get('/cart'), 'itemCount']),
      expected: [0],
    }
  },
  'POST /api/orders': placing('/orders'),
  'POST /api/orders/checkout': placing('/orders/checkout'),
  'PATCH /api/orders/{orderId}': async on => {
    const id = await orderBy(on, await on.customer('order 1'))
    const shippingAddress = `2 ${randomUUID()} Street`
    const reason = 'Asked for by phone'
    return {
      write: () => on.admin.here.patch(`/orders/${id}`, { ...delivery, shippingAddress, reason }),
      seen: () =>
        fields(
          [on.admin.there.get(`/orders/${id}`), 'shippingAddress'],
          [
            on.admin.there.get(`/orders?search=${encodeURIComponent(shippingAddress)}`),
            'data.0.id',
          ],
        ),
      expected: [shippingAddress, id],
    }
  },
  'POST /api/orders/{orderId}/pay': async on => {
    const who = await on.customer('order 2')
    const id = await orderBy(on, who, false)
    return {
      write: () => who.here.post(`/orders/${id}/pay`, {}),
      seen: () =>
        fields(
          [who.there.get(`/orders/${id}`), 'status'],
          [who.there.get('/orders?status=paid'), 'data.0.id'],
        ),
      expected: ['paid', id],
    }
  },
  'POST /api/orders/{orderId}/cancel': async on => {
    const who = await on.customer('order 3')
    const id = await orderBy(on, who, false)
    return {
      write: () => who.here.post(`/orders/${id}/cancel`, {}),
      seen: () =>
        fields(
          [who.there.get(`/orders/${id}`), 'status'],
          [who.there.get('/orders?status=cancelled'), 'data.0.id'],
        ),
      expected: ['cancelled', id],
    }
  },
  'PATCH /api/orders/{orderId}/status': async on => {
    const id = await orderBy(on, await on.customer('order 4'))
    const tracking = `T-${randomUUID()}`
    return {
      write: () =>
        on.admin.here.patch(`/orders/${id}/status`, {
          status: 'shipped',
          tracking,
        }),
      seen: () =>
        fields(
          [on.admin.there.get(`/orders/${id}`), 'status'],
          [on.admin.there.get(`/orders?search=${tracking}`), 'data.0.id'],
          [on.admin.there.get(`/audit/orders/${id}`), 'state.status'],
          [mailsAbout(on, id, 'order-shipped'), 'length'],
        ),
      expected: ['shipped', id, 'shipped', 1],
    }
  },
  'DELETE /api/orders/{orderId}': async on => {
    const who = await on.customer('order 5')
    const id = await orderBy(on, who, false)
    await who.here.post(`/orders/${id}/cancel`, {})
    return {
      write: () => who.here.delete(`/orders/${id}`),
      seen: async () => [
        ...(await statuses(who.there.get(`/orders/${id}`))),
        ...(await fields([who.there.get('/orders'), 'total'])),
      ],
      expected: [404, 0],
    }
  },
  'POST /api/orders/{orderId}/refunds': async on => {
    const productId = await productOf(on)
    const who = await on.customer('order 6')
    const items = [{ productId, quantity: 2 }]
    const { orderId } = (await who.here.post('/orders', { ...delivery, items })).body
    await who.here.post(`/orders/${orderId}/pay`, {})
    return {
      write: () => on.admin.here.post(`/orders/${orderId}/refunds`, { reason: 'Broken' }),
      seen: async () => [
        ...(await fields([on.admin.there.get(`/orders/${orderId}`), 'refunded.amount'])),
        await soldOf(on, productId),
      ],
      expected: [1_000, 2],
    }
  },
  'POST /api/orders/{orderId}/refunds/{refundId}/confirm': async on => {
    const who = await on.customer('order 7')
    const { orderId, refundId } = await owedByHand(on, who.here)
    const path = `/orders/${orderId}/refunds/${refundId}/confirm`
    return {
      write: () => on.admin.here.post(path, {}),
      seen: async () => {
        const open = (await on.admin.there.get('/admin/refunds?pageSize=100')).body.data
        return [
          ...(await fields([on.admin.there.get(`/orders/${orderId}`), 'refunded.amount'])),
          open.some(each => each.orderId === orderId),
        ]
      },
      expected: [1_000, false],
    }
  },
}

/** An order that the staff has marked as paid, of which everything is to be paid back by hand. */
async function owedByHand(on: Scene, customer: Scene['here']) {
  const items = [{ productId: await productOf(on), quantity: 2 }]
  const { orderId } = (await customer.post('/orders', { ...delivery, items })).body
  await on.admin.here.patch(`/orders/${orderId}/status`, { status: 'paid' })
  await on.admin.here.post(`/orders/${orderId}/refunds`, { reason: 'Broken' })
  const { data } = (await patiently(() => on.admin.here.get('/admin/refunds?pageSize=100'))).body
  const open = data.find(each => each.orderId === orderId)
  return { orderId, refundId: String(Object(open).refunds[0].refundId) }
}
