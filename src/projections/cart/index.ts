// The projections of carts.
import { cartsProjection } from './carts.ts'

export const cartProjections = [cartsProjection]
