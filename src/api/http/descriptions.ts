// Descriptions for the OpenAPI document: what an operation needs, and what is worth knowing.

/** What the document says of an operation, as far as descriptions need it. */
interface Shown {
  operationId?: string
  description?: string
  'x-access'?: unknown
  parameters?: { name: string; required?: boolean }[]
}

/** By operation; what all operations of a kind have in common is added by itself. */
const texts: Readonly<Record<string, string>> = {
  register: 'A cart that X-Cart-Token names comes along.',
  logIn: 'With username or email. A cart that X-Cart-Token names is added to yours.',
  refresh: 'A refresh token is good once; used again later, it ends its session.',
  logOut: 'The refresh token of this session is good for nothing from then on.',
  endSession: 'Its refresh token is good for nothing from then on.',
  ChangeProfile: 'Fields that are not sent stay as they are.',
  changePassword: 'Confirmed by mail.',
  resetPassword: 'Answers the same whether there is such an account or not.',
  confirmPasswordReset: '`uid` and `token` are in the mailed link.',
  eraseProfile: 'Cannot be undone: the key of your personal data is destroyed.',
  issueTicket: 'For browsers, whose WebSockets cannot send an Authorization header.',
  followOrders:
    'Events called order_update; Last-Event-ID resumes behind a position. The same over ' +
    'WebSocket: /ws/orders/notifications.',
  listProducts:
    'Prices are in minor units. `search` forgives misspellings and sorts by relevance unless ' +
    '`ordering` says otherwise.',
  CreateProduct: 'Without `sku` the shop makes one. `stock` is booked as opening stock.',
  ChangeProduct: 'Fields that are not sent stay as they are.',
  ChangeCategory: 'Fields that are not sent stay as they are.',
  AddProductImage: 'PNG, JPEG, WebP or AVIF of up to 5 MiB; `alt` says what is to be seen.',
  SetCategoryImage: 'PNG, JPEG, WebP or AVIF of up to 5 MiB; `alt` says what is to be seen.',
  getImage: 'Products and categories show the addresses of their images.',
  DeleteProduct: 'It can be restored; carts that hold it cannot be ordered until it is taken out.',
  AdjustStock:
    'A negative `delta` books out, 0 is refused; less than what is reserved answers 409.',
  CountStock: 'Books the difference to what is on hand, reserved pieces included.',
  importProducts:
    'A file of rows with sku, name, price, stock and more, by SKU: what is there is changed, ' +
    'what is not is made. Answers 202 with the address of its progress.',
  undoImport: 'Row by row; what others have changed since stays, and is told with the reason.',
  AddToCart:
    'Without a token the first item makes a guest’s cart: X-Cart-Token of the answer opens it.',
  ChangeCartItem: 'Answers 404 for a product that is not in the cart.',
  RemoveFromCart: 'What is not in the cart is gone already: that is no fault.',
  getCart: 'Shows the price at which each item was put in, and the price of today.',
  PlaceOrder:
    'A price that has risen since it was put into the cart is refused with 409 unless ' +
    '`acceptPrices` is true. Stock is reserved until the order is paid, cancelled or expires.',
  CheckOut: 'The same as POST /api/orders.',
  PayOrder: 'A payment that needs a step of the customer answers with `payment`.',
  CancelOrder: 'Customers until it is shipped; what was paid goes back.',
  UpdateOrderStatus:
    'GET the order for `allowedTransitions`: every other step answers 409, and so does ' +
    'shipping an order whose payment is disputed without `acceptDispute`.',
  RefundOrder:
    'Without `amount` all that is left; never more than was captured. Answers 409 when the ' +
    'provider declines at once; `refund.byHand` says that somebody has to pay it back.',
  ChangeUser: 'Effective at once, for tokens that are already out, too.',
  verifyLog: 'Without `from` and `to` the whole log.',
  rebuildProjection: 'The one that serves goes on serving until the new one is level.',
  receivePaymentCallback: 'Only the provider can sign these: anything else answers 400.',
}

/** What is published by PUT and PATCH is one command; what reads the past goes by one rule. */
function textOf(operationId: string): string | undefined {
  if (operationId.endsWith('AsOf')) return '`asOf` is a time or a revision; without it, now.'
  if (operationId.endsWith('Diff')) return '`from` and `to` are times or revisions.'
  return texts[operationId.replace(/ByPut$/, '')]
}

/** The description of an operation: its own words, then who may use it and what it needs. */
export function descriptionOf(operation: Shown): string {
  const { operationId = '', description = textOf(operationId), parameters = [] } = operation
  const header = (wanted: string) => parameters.find(({ name }) => name.toLowerCase() === wanted)
  const has = (wanted: string) => header(wanted) !== undefined
  const needs = (wanted: string) => header(wanted)?.required === true
  const sentences = [
    description,
    whoMay(operation['x-access']),
    needs('idempotency-key')
      ? 'Needs an Idempotency-Key: the same key again gets the first answer, and does nothing.'
      : undefined,
    needs('if-match')
      ? 'Needs If-Match with the ETag that you have seen, or *; 412 when it has changed since.'
      : undefined,
    has('cursor')
      ? 'A list goes by page and pageSize, or by cursor and limit; not both.'
      : undefined,
    has('minposition')
      ? 'With minPosition the answer shows at least what was written up to that position.'
      : undefined,
  ]
  return sentences.filter(sentence => sentence !== undefined).join(' ')
}

function whoMay(access: unknown): string {
  if (!Array.isArray(access)) return 'For everybody, signed in or not.'
  const isForAll = access.length === 5
  return isForAll ? 'For everybody who is signed in.' : `For the role ${access.join(' or ')}.`
}
