// Examples for the OpenAPI document: requests that work in a new shop with the sample catalogue.

/** What the document says of an operation, as far as examples need it. */
interface Shown {
  operationId?: string
  parameters?: { name: string; in: string; required?: boolean; example?: unknown }[]
  requestBody?: { content: Record<string, { schema?: unknown; example?: unknown }> }
}

/** Of the sample catalogue, whose ids follow from its names. */
const productId = '47b88027-8e00-7a8a-892f-5f3e6cc75c73'
const categoryId = '47b88027-8e00-7bbc-82d0-31bea3ab8404'
/** Of things that a new shop does not have: the answer is 404. */
const unknownId = '01980000-0000-7000-8000-000000000001'
const passphrase = 'correct horse battery staple'

/** By the name of a field of a body, wherever it is. */
const fields = (currency: string): Readonly<Record<string, unknown>> => ({
  username: 'ada',
  email: 'ada@example.com',
  password: passphrase,
  passwordConfirm: passphrase,
  oldPassword: passphrase,
  newPassword: 'seven quiet lanterns by the sea',
  refresh: 'the refresh token of the last answer',
  uid: unknownId,
  token: 'the token in the mailed link',
  requestReference: 'Letter of 12 March',
  firstName: 'Ada',
  lastName: 'Lovelace',
  phoneNumber: '+44 113 496 0000',
  dateOfBirth: '1990-12-10',
  address: '1 High Street',
  city: 'Leeds',
  postalCode: 'LS1 1AA',
  country: 'GB',
  roles: ['customer', 'support'],
  disabled: false,
  name: 'Brass Lantern',
  description: 'Burns for ten hours.',
  sku: 'LANTERN-01',
  price: { amount: 4_250, currency },
  categoryId,
  featured: false,
  active: true,
  stock: 12,
  delta: 12,
  reason: 'Asked for by telephone',
  note: 'Delivery of Monday',
  counted: 12,
  productId,
  quantity: 1,
  items: [{ productId, quantity: 1 }],
  shippingAddress: '1 High Street, Leeds LS1 1AA',
  paymentMethod: 'card',
  acceptPrices: true,
  status: 'shipped',
  tracking: 'RM123456785GB',
  amount: { amount: 100, currency },
  reference: 'Bank transfer 2041',
  url: 'https://hooks.example.com/orders',
  events: ['order.placed', 'order.paid'],
  enabled: true,
  from: '1',
  to: '1',
})

/** Bodies whose fields exclude each other, or are words of a list: the fields that differ. */
const own: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  logIn: { email: undefined },
  ChangeProfile: { email: undefined },
  ChangeProfileByPut: { email: undefined },
  UpdateOrderStatus: { reason: undefined },
  AdjustStock: { reason: 'received' },
  CreateCategory: { name: 'Lanterns' },
  ChangeCategory: { name: 'Kitchen', description: 'For those who cook.' },
  ChangeCategoryByPut: { name: 'Kitchen', description: 'For those who cook.' },
  createWebhook: { description: 'Tells the warehouse' },
  changeWebhook: { description: 'Tells the warehouse' },
}

/** Bodies that are text. */
const files: Readonly<Record<string, string>> = {
  'text/csv': 'sku,name,price,stock\nlamp-7,Desk Lamp,24.90,12\n',
  'application/x-ndjson': '{"sku":"lamp-8","name":"Floor Lamp","price":"49.90","stock":3}\n',
}

const parameters: Readonly<Record<string, unknown>> = {
  productId,
  categoryId,
  name: 'orders',
  position: '1',
  stream: `product-${productId}`,
  hash: 'ab'.repeat(32),
  rendition: 'small',
  provider: 'simulated',
  'if-match': '*',
}

/**
 * Gives an operation of the document an example for its body and for each parameter that it needs,
 * so that it can be tried as it stands. What is optional in an address has none: "Try it out"
 * would send it.
 */
export function addExamples(operation: Shown, path: string, currency: string): void {
  const { operationId = '', requestBody } = operation
  for (const parameter of operation.parameters ?? []) {
    if (parameter.required !== true) continue
    parameter.example = exampleOfParameter(parameter.name, operationId, path)
  }
  for (const [type, media] of Object.entries(requestBody?.content ?? {})) {
    const example = files[type] ?? exampleOfBody(media.schema, operationId, currency)
    if (!type.startsWith('multipart/')) media.example = example
  }
}

function exampleOfParameter(name: string, operationId: string, path: string): unknown {
  if (name.toLowerCase() === 'idempotency-key') return `try-${operationId}-1`
  if (name === 'id' && /\/(products|stock)\//.test(path)) return productId
  return parameters[name] ?? unknownId
}

function exampleOfBody(schema: unknown, operationId: string, currency: string): object {
  const known = { ...fields(currency), ...own[operationId] }
  const isObject = typeof schema === 'object' && schema !== null && 'properties' in schema
  const names = Object.keys(isObject ? Object(schema.properties) : {})
  const entries = names.map(name => [name, known[name]])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}
