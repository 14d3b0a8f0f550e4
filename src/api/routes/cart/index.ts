// Carts over HTTP, of customers and of guests.
import type { RouteGroup } from '../../http/route.ts'
import { cartRoutes } from './cart.ts'
import { Cart, CartTotal } from './cartSchemas.ts'

export const cart: RouteGroup = { api: [cartRoutes], schemas: { Cart, CartTotal } }
