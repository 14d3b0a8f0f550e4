// What the cart context adds to the application: its repositories and commands.
import { cart } from '../../domain/cart/cart.ts'
import type { Commands } from '../core/command.ts'
import { createRepository } from '../core/repository.ts'
import type { RepositoryParts } from '../core/repositoryTypes.ts'
import { addToCart, changeCartItem, clearCart, removeFromCart } from './cart.ts'

export const cartRepositories = (parts: RepositoryParts) => ({
  carts: createRepository(cart, parts),
})

export const cartCommands: Commands = [addToCart, changeCartItem, removeFromCart, clearCart]
