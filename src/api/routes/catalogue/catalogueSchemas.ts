// The shapes of answers about the catalogue: products, categories, stock, prices.
import Type from 'typebox'
import { CategoryEvents } from '../../../domain/catalogue/category.ts'
import { imageFields } from '../../../domain/catalogue/image.ts'
import { ProductEvents } from '../../../domain/catalogue/product.ts'
import { Id, Money, strict } from '../../../domain/kernel/types.ts'
import { integer, many, nullable, Position, partFields, text, time } from '../../http/schemas.ts'

export const Availability = Type.Enum(['in', 'low', 'out'])

const sizes = { small: text(200), medium: text(200), large: text(200) }
const { width, height, alt } = imageFields
const Image = Type.Object(
  { id: Id, url: text(200), variants: Type.Object(sizes, strict), width, height, alt },
  strict,
)
const Stock = Type.Object({ onHand: integer, reserved: integer, available: integer }, strict)

/** What an upload answers: what it was about, its revision, the position, and the new image. */
export const UploadedImage = Type.Object(
  { id: Id, revision: integer, position: Position, image: Image },
  strict,
)

const { productId: _, active, ...details } = ProductEvents.ProductCreated.properties
const product = {
  id: Id,
  ...details,
  images: many(Image, 100),
  availability: Availability,
  createdAt: time,
  updatedAt: time,
}

export const Product = Type.Object(product, strict)
const forStaff = {
  active: Type.Optional(active),
  deleted: Type.Optional(Type.Boolean()),
  stock: Type.Optional(Stock),
}

/** A product of a list that the staff may have asked for with filters of theirs. */
export const ListedProduct = Type.Object({ ...product, ...forStaff }, strict)
export const ProductDetail = Type.Object(
  {
    ...product,
    category: nullable(Type.Object({ id: Id, name: details.name }, strict)),
    ...forStaff,
  },
  strict,
)
export const ScarceProduct = Type.Object({ ...product, stock: Stock }, strict)

export const PriceHistory = Type.Object(
  {
    price: Money,
    since: time,
    lowestPriceIn30DaysBefore: Type.Optional(Money),
    changes: Type.Optional(
      many(Type.Object({ position: Position, price: Money, actor: text(100), at: time }, strict)),
    ),
  },
  strict,
)

export const StockLedger = Type.Object(
  {
    onHand: integer,
    reserved: integer,
    available: integer,
    movements: many(
      Type.Object(
        {
          position: Position,
          kind: text(50),
          onHandDelta: integer,
          reservedDelta: integer,
          reason: text(50),
          note: nullable(text(500)),
          orderId: nullable(Id),
          actor: text(100),
          at: time,
        },
        strict,
      ),
      100,
    ),
    ...partFields,
  },
  strict,
)

const { categoryId: __, ...category } = CategoryEvents.CategoryCreated.properties
export const Category = Type.Object({ id: Id, ...category, image: nullable(Image) }, strict)
