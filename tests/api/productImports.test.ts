// Products in bulk over HTTP: files in, progress and faults out, cancelled, undone.
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contentOf, dropStrayChunks } from '../../src/workers/imports/products/importTables.ts'
import { FileRefused } from '../../src/workers/imports/products/rawRow.ts'
import { expectProblem, gbp, newKey, newOrder, newProduct } from '../support/goods.ts'
import {
  importFile,
  manyProducts,
  ndjson,
  productBySku,
  undo,
  until,
  upload,
} from '../support/productImports.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

const many = Number(process.env.IMPORT_ROWS ?? 3_000)

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app?.close())

describe('an import of products', () => {
  it('lists new ones, changes those whose SKU is there, counts what stays as it is', async () => {
    await newProduct(app, { sku: 'there', name: 'Old', price: gbp(100), stock: 3 })
    await newProduct(app, { sku: 'same', name: 'Same', price: gbp(500) })
    const { body } = await importFile(
      app,
      [
        'sku,name,description,price,currency,category,stock,featured,active',
        'new-1,New,Shines,12.5,GBP,Garden,7,true,yes',
        'there,,,2.00,,garden,99,,no',
        'same,Same,,5.00,,,,,',
        '',
      ].join('\n'),
    )
    expect(body).toMatchObject({
      status: 'finished',
      rows: 3,
      created: 1,
      changed: 1,
      unchanged: 1,
      refused: 0,
      errors: [],
      progress: 1,
    })
    const made = await productBySku(app, 'new-1')
    const details = { name: 'New', description: 'Shines', price: gbp(1250), onHand: 7 }
    expect(made).toMatchObject({ ...details, featured: true, active: true })
    const changed = await productBySku(app, 'there')
    expect(changed).toMatchObject({ name: 'Old', price: gbp(200), active: false, onHand: 99 })
    expect(changed).toHaveProperty('categoryId', Object(made).categoryId)
  })

  it('answers at once with the address of its progress, and is in the list', async () => {
    const answer = await upload(app, 'sku,name,price\nwhere,Where,1')
    expect(answer.status).toBe(202)
    expect(answer.headers.get('location')).toBe(`/api/products/imports/${answer.body.id}`)
    await until(app, answer.body.id, 'finished')
    const list = await app.admin.client.get('/products/imports?pageSize=1')
    expect(list.body.data).toMatchObject([{ id: answer.body.id, status: 'finished' }])
  })

  it('puts its correlation id on every event, and on no other', async () => {
    const { body } = await importFile(app, 'sku,name,price,category,stock\nc-1,C,1,Corr,2')
    const types: string[] = []
    for await (const event of app.back.eventStore.readAll()) {
      if (event.metadata.correlationId === body.correlationId) types.push(event.type)
    }
    const expected = [
      'CategoryCreated',
      'CategoryNameClaimed',
      'CategoryUsed',
      'ProductCreated',
      'SkuClaimed',
      'StockAdjusted',
    ]
    expect(types.toSorted()).toEqual(expected)
  })

  it('tells of every row that is wrong, by line, and carries the others out', async () => {
    const { body } = await importFile(
      app,
      [
        'sku,name,price,stock,currency,featured',
        'f-1,"Two\nlines",1.00,1,,',
        ',No SKU,1.00,1,,',
        'f-2,,1.00,1,,',
        'f-3,Price,12,50,,',
        'f-4,Price,one,1,,',
        'f-5,Price,1.005,1,,',
        'f-6,Price,-1,1,,',
        'F-1,Again,1.00,1,,',
        `f-7,${'x'.repeat(201)},1.00,1,,`,
        'f-8,Dollars,1.00,1,USD,',
        'f-9,Stock,1.00,many,,maybe',
        'f-10,Cells,1.00',
        'f-11,Fine,1.00,1,gbp,0',
      ].join('\r\n'),
    )
    expect(body).toMatchObject({ rows: 13, created: 3, refused: 10, errorCount: 11 })
    expect(body.errors).toMatchObject(
      [
        { line: 4, pointer: '/sku', detail: 'is missing' },
        { line: 5, pointer: '/name', detail: /missing/ },
        { line: 7, pointer: '/price', detail: 'is not a decimal number such as 12.50' },
        { line: 8, pointer: '/price', detail: 'has more than the 2 decimals of GBP' },
        { line: 9, pointer: '/price' },
        { line: 10, pointer: '/sku', detail: 'is in line 2 already' },
        { line: 11, pointer: '/name' },
        { line: 12, pointer: '/currency', detail: 'is not GBP' },
        { line: 13, pointer: '/stock', detail: 'is not a whole number from 0 on' },
        { line: 13, pointer: '/featured', detail: 'is neither true nor false' },
        { line: 14, pointer: '', detail: 'has 3 cells, the header has 6' },
      ].map(({ detail, ...rest }) => (typeof detail === 'string' ? { ...rest, detail } : rest)),
    )
    const page = await app.admin.client.get(`/products/imports/${body.id}?page=2&pageSize=5`)
    expect(page.body.errors).toHaveLength(5)
    expect(page.body.errors[0]).toMatchObject({ line: 10 })
  })

  it('keeps a thousand faults and counts the others', async () => {
    const file = `sku,price\n${'few,nothing\n'.repeat(1_200)}`
    const { body } = await importFile(app, file)
    expect(body).toMatchObject({ rows: 1_200, refused: 1_200, errorCount: 1_200 })
    const all = await app.admin.client.get(`/products/imports/${body.id}?pageSize=1000`)
    expect(all.body.errors).toHaveLength(1_000)
    const more = await app.admin.client.get(`/products/imports/${body.id}?pageSize=1000&page=2`)
    expect(more.body.errors).toEqual([])
  })

  it('takes NDJSON, whose prices are decimal text or numbers', async () => {
    const { body } = await importFile(
      app,
      [
        '{"sku":"j-1","name":"Jar","price":"0.10","stock":4}',
        '{"sku":"j-2","name":"Jug","price":19.99,"featured":true,"category":null}',
        'not json',
        '{"sku":"j-3","name":"Jam","price":"1","colour":"red"}',
        '{"sku":"j-5","\\u0000":1}',
        '{"sku":"j-4","name":"\\ud800","price":"1"}',
      ].join('\n'),
      { type: ndjson },
    )
    expect(body).toMatchObject({ created: 2, refused: 4 })
    expect(body.errors).toMatchObject([
      { line: 3, pointer: '' },
      { line: 4, pointer: '/colour' },
      { line: 5, pointer: '' },
      { line: 6, pointer: '/name' },
    ])
    expect(await productBySku(app, 'j-2')).toMatchObject({ price: gbp(1999), featured: true })
  })

  it('only says what would happen in a dry run', async () => {
    const head = await app.back.eventStore.head()
    const file = 'sku,name,price,category\nd-1,Dry,1,Nowhere\nthere,,3.00,\nd-2,,1,'
    const { body } = await importFile(app, file, { dryRun: true })
    expect(body).toMatchObject({ dryRun: true, created: 1, changed: 1, refused: 1 })
    expect(await app.back.eventStore.head()).toBe(head)
    const answer = await app.admin.client.post(`/products/imports/${body.id}/undo`)
    expectProblem(answer, 409, 'import/illegal-status')
  })

  it('shows its progress live until it is done', { timeout: 60_000 + many * 3 }, async () => {
    const { body } = await upload(app, manyProducts(many))
    const response = await fetch(`${app.url}/api/products/imports/${body.id}`, {
      headers: { authorization: `Bearer ${app.admin.access}`, accept: 'text/event-stream' },
    })
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const events = (await response.text()).trim().split('\n\n')
    const shown = events.map(event => JSON.parse(event.replace(/^.*\ndata: /, '')))
    expect(events.length).toBeGreaterThan(2)
    expect(events.at(-1)).toMatch(/^event: done\n/)
    expect(shown.at(-1)).toMatchObject({ status: 'finished', created: many, progress: 1 })
    const steps = shown.map(({ progress }) => progress)
    expect(steps).toEqual(steps.toSorted((a, b) => a - b))
    const took = Date.parse(shown.at(-1).finishedAt) - Date.parse(shown.at(-1).startedAt)
    if (process.env.IMPORT_ROWS) console.log(`${many} rows in ${took} ms`, process.memoryUsage())
  })

  it('stops when it is cancelled, and keeps what is done', { timeout: 60_000 }, async () => {
    const { body } = await upload(app, manyProducts(20_000, 'STOP'))
    await waitFor('the first batch', async () => {
      const now = await app.admin.client.get(`/products/imports/${body.id}`)
      return Number(now.body.created) > 0
    })
    const answer = await app.admin.client.delete(`/products/imports/${body.id}`)
    expect(answer.status).toBe(202)
    const ended = await until(app, body.id, 'cancelled')
    expect(ended.body.created).toBeLessThan(20_000)
    const again = await app.admin.client.delete(`/products/imports/${body.id}`)
    expect(again.status).toBe(202)
    expect((await undo(app, body.id)).body).toMatchObject({ kept: 0, undone: ended.body.created })
    expectProblem(
      await app.admin.client.delete(`/products/imports/${body.id}`),
      409,
      'import/illegal-status',
    )
  })
})

describe('a file that is no use', () => {
  it.each([
    ['an unknown column', 'sku,name,colour\na,b,c', 'Line 1: there is no column "colour".'],
    ['semicolons', 'sku;name;price\na;b;1', 'Line 1: separate columns with commas.'],
    ['no SKUs', 'name,price\nb,1', 'Line 1: the column sku is missing.'],
    ['a column twice', 'sku,name,SKU\na,b,c', 'Line 1: the column sku is there twice.'],
    ['a quote that never ends', 'sku,name,price\nx-1,A,1\nx-2,"B,1', 'Line 3: this is not CSV'],
    ['no rows', 'sku,name,price\n', 'The file has no rows.'],
    ['UTF-16', Buffer.from('sku,name,price\nu,U,1', 'utf16le'), 'Line 1: there is no column'],
    ['a stray quote beside a NUL', 'sku,na\0"me', 'Line 1: this is not CSV'],
    ['too many rows', `sku\n${'a\n'.repeat(100_001)}`, 'The file has more than 100000 rows.'],
  ])('is refused as a whole for %s', async (_, file, problem) => {
    const { body } = await importFile(app, file)
    expect(body).toMatchObject({ status: 'failed', created: 0, refused: 0 })
    expect(body.problem).toContain(problem)
    expect(await productBySku(app, 'x-1')).toBeUndefined()
  })

  it('is refused at the door when it is empty, too large or of another type', async () => {
    const { body } = await importFile(app, '\ufeff')
    expect(body).toMatchObject({ status: 'failed', problem: 'The file is empty.' })
    const json = await upload(app, '{}', { type: 'application/json' })
    expectProblem(json, 415, 'request/unsupported')
    const latin = await upload(app, 'sku', { type: 'text/csv; charset=iso-8859-1' })
    expectProblem(latin, 415, 'request/unsupported')
    const large = await upload(app, Buffer.alloc(64 * 1024 * 1024 + 1, 'a'))
    expectProblem(large, 413, 'request/too-large')
    expect(await uploadTooMuch()).toMatch(/^HTTP\/1.1 413 /)
  })
})

const piece = `100000\r\n${'a'.repeat(0x100000)}\r\n`

/** The beginning of an upload that does not say how much it will be. */
function beginUpload() {
  const { hostname, port } = new URL(app.url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  socket.write(
    'POST /api/products/imports HTTP/1.1\r\nHost: shop\r\nContent-Type: text/csv\r\n' +
      `Idempotency-Key: ${newKey()}\r\nAuthorization: Bearer ${app.admin.access}\r\n` +
      'Transfer-Encoding: chunked\r\n\r\n',
  )
  return socket
}

/** Uploads too much; gives the answer. */
async function uploadTooMuch(): Promise<string> {
  const socket = beginUpload()
  let answer = ''
  socket.on('data', data => {
    answer += data
  })
  for (let sent = 0; sent < 80 && answer === ''; sent += 1) {
    if (!socket.write(piece)) await once(socket, 'drain').catch(() => undefined)
  }
  await waitFor('an answer', () => answer !== '')
  socket.destroy()
  return answer
}

describe('the pieces of a file', () => {
  const chunks = async () => {
    const { rows } = await app.back.pool.query('select from shop.product_import_chunks')
    return rows.length
  }

  it('are kept as long as they are needed', async () => {
    await importFile(app, 'sku,name,price\np-1,Piece,1')
    expect(await chunks()).toBe(0)
    const key = newKey()
    await importFile(app, 'sku\np-1', { key })
    await upload(app, 'sku\np-2', { key })
    expect(await chunks()).toBe(0)
  })

  it('are dropped when the client goes away', async () => {
    const socket = beginUpload()
    socket.write(piece)
    await waitFor('pieces', async () => (await chunks()) > 0)
    socket.destroy()
    await waitFor('no pieces', async () => (await chunks()) === 0)
  })

  it('are swept when nobody was left to drop them, unless they are young', async () => {
    await app.back.pool.query(
      `insert into shop.product_import_chunks (upload_id, sequence, content, uploaded_at) values
       ($1, 0, '', now() - interval '25 hours'), ($1, 1, '', now()), ($2, 0, '', now())`,
      [newKey(), newKey()],
    )
    await dropStrayChunks(app.back.db)
    expect(await chunks()).toBe(1)
    await app.back.pool.query('delete from shop.product_import_chunks')
  })
})

describe('what somebody has written into the database', () => {
  const run = (text: string, ...values: unknown[]) => app.back.pool.query(text, values)
  /** An import in the queue, of this file, as somebody writes it who has read another row. */
  async function forge(content: string, like: string) {
    const [importId, uploadId] = [newKey(), newKey()]
    await run(
      'insert into shop.product_import_chunks (upload_id, sequence, content) values ($1, 0, $2)',
      ...[uploadId, Buffer.from(content)],
    )
    await run(
      `insert into shop.product_imports (import_id, upload_id, correlation_id, requested_by, format,
         dry_run, digest, bytes, status, seal)
       select $1::uuid, $2::uuid, correlation_id, requested_by, format, false, digest, $3, 'queued',
         seal
       from shop.product_imports where import_id = $4`,
      ...[importId, uploadId, content.length, like],
    )
    return importId
  }

  it('is not imported: a file of their own', async () => {
    const { body } = await importFile(app, 'sku,name,price\nforged-1,Forged,9')
    const id = await forge('sku,price\nforged-1,0.01', body.id)
    const ended = await until(app, id, 'failed', 'finished')
    expect(ended.body).toMatchObject({ status: 'failed', rows: null, changed: 0 })
    expect(ended.body.problem).toMatch(/was written into the database/)
    expect(await productBySku(app, 'forged-1')).toMatchObject({ price: gbp(900) })
  })

  it('is not undone: an import whose undo nobody has asked for', async () => {
    const { body } = await importFile(app, 'sku,name,price\nforged-2,Forged,9')
    await run(
      `update shop.product_imports set status = 'undoing', undo_requested_by = requested_by
       where import_id = $1`,
      body.id,
    )
    await until(app, body.id, 'finished', 'undone')
    expect(await productBySku(app, 'forged-2')).toMatchObject({ status: 'listed' })
  })

  it.each([
    ['nothing', `update shop.product_import_chunks set seal = seal`, true],
    ['a piece', `update shop.product_import_chunks set content = 'sku,name'`, false],
    ['the order', `update shop.product_import_chunks set sequence = 1 - sequence`, false],
    ['the end', 'delete from shop.product_import_chunks where sequence = 1', false],
  ])('is not read in the place of an upload: %s', async (_, change, isRead) => {
    const uploadId = newKey()
    const pieces = ['sku,name\n', 'a,b\n'].map(text => Buffer.from(text))
    for (const [n, piece] of pieces.entries()) {
      await run(
        `insert into shop.product_import_chunks (upload_id, sequence, content, seal)
         values ($1, $2, $3, $4)`,
        ...[uploadId, n, piece, app.back.importSeals.ofPiece(uploadId, n, piece)],
      )
    }
    // The key is checked row by row.
    await run('alter table shop.product_import_chunks drop constraint product_import_chunks_pkey')
    await run(change)
    const parts = { db: app.back.db, seals: app.back.importSeals }
    const read = async () => {
      const whole: Buffer[] = []
      const job = { upload_id: uploadId, bytes: 13n }
      for await (const piece of contentOf(parts, job)) whole.push(piece)
      return Buffer.concat(whole)
    }
    if (isRead) expect(await read()).toEqual(Buffer.concat(pieces))
    else await expect(read()).rejects.toThrow(FileRefused)
    await run('delete from shop.product_import_chunks')
    await run('alter table shop.product_import_chunks add primary key (upload_id, sequence)')
  })
})

describe('text in a file', () => {
  it('may begin with a byte order mark and hold what spreadsheets take for formulas', async () => {
    const name = '=HYPERLINK("http://x.example","@+-")'
    const cell = `"${name.replaceAll('"', '""')}"`
    await importFile(app, `\ufeffSKU,Name,Price,Description\r\nq-1,${cell},1,"a ""b"", c"\r\n`)
    expect(await productBySku(app, 'q-1')).toMatchObject({ name, description: 'a "b", c' })
  })

  it('that is not UTF-8 is a fault of its row', async () => {
    const bytes = (text: string) => Buffer.from(text, 'latin1')
    const rows = bytes('sku,name,price\nl-1,Caf\xe9,1\nl-2,Cafe,1\nl-3,NUL\0,1\n')
    const { body } = await importFile(app, rows)
    const fault = { pointer: '/name', detail: 'holds bytes that are not UTF-8 text' }
    expect(body).toMatchObject({ created: 1, refused: 2 })
    expect(body.errors).toEqual([
      { line: 2, ...fault },
      { line: 4, ...fault },
    ])
    const lines = bytes('{"sku":"l-4","name":"Caf\xe9","price":1}\n')
    expect((await importFile(app, lines, { type: ndjson })).body).toMatchObject({ refused: 1 })
  })
})

describe('the same key', () => {
  it('with the same file is the same import; with another file it is refused', async () => {
    const key = newKey()
    const file = 'sku,name,price\nk-1,Key,1'
    const first = await upload(app, file, { key })
    await until(app, first.body.id, 'finished')
    const again = await upload(app, file, { key })
    expect(again.body.id).toBe(first.body.id)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    const other = await upload(app, `${file}0`, { key })
    expectProblem(other, 422, 'command/key-reused')
    const none = await app.admin.client.post('/products/imports', file, {
      key: null,
      headers: { 'content-type': 'text/csv' },
    })
    expectProblem(none, 400, 'request/key-required')
  })
})

describe('undoing an import', () => {
  it('reverses what nobody has changed since, and says what it has left alone', async () => {
    await newProduct(app, { sku: 'u-old', name: 'Before', price: gbp(100), stock: 1 })
    await newProduct(app, { sku: 'u-mine', name: 'Before', price: gbp(100), stock: 1 })
    const file = [
      'sku,name,price,stock',
      'u-old,After,2.00,',
      'u-mine,After,2.00,',
      'u-gone,New,1.00,5',
      'u-kept,New,1.00,5',
      'u-sold,New,1.00,5',
    ].join('\n')
    const { body } = await importFile(app, file)
    const [mine, kept, sold] = [
      await productBySku(app, 'u-mine'),
      await productBySku(app, 'u-kept'),
      await productBySku(app, 'u-sold'),
    ]
    const { client } = app.admin
    await client.patch(`/products/${mine?.productId}`, { name: 'Mine now' }, { ifMatch: '*' })
    await client.patch(`/products/${kept?.productId}`, { featured: true }, { ifMatch: '*' })
    await newOrder(await app.person(), String(sold?.productId))

    const undone = await undo(app, body.id)
    expect(undone.body).toMatchObject({ undone: 2, kept: 3 })
    const changed = 'the product has changed since the import'
    expect(undone.body.keptRows).toEqual([
      { line: 3, productId: mine?.productId, sku: 'U-MINE', why: changed },
      { line: 5, productId: kept?.productId, sku: 'U-KEPT', why: changed },
      { line: 6, productId: sold?.productId, sku: 'U-SOLD', why: expect.stringMatching('stock') },
    ])
    expect(await productBySku(app, 'u-old')).toMatchObject({ name: 'Before', price: gbp(100) })
    expect(await productBySku(app, 'u-mine')).toMatchObject({ name: 'Mine now' })
    expect(await productBySku(app, 'u-gone')).toBeUndefined()
    expect(await productBySku(app, 'u-kept')).toMatchObject({ status: 'listed', onHand: 5 })
    expect(await productBySku(app, 'u-sold')).toMatchObject({ status: 'listed', onHand: 5 })

    // What was undone can be imported again, under the same SKU; undoing twice changes nothing.
    const head = await app.back.eventStore.head()
    expect((await undo(app, body.id)).body).toMatchObject({ undone: 2, kept: 3 })
    expect(await app.back.eventStore.head()).toBe(head)
    expect((await importFile(app, file)).body).toMatchObject({ created: 1, refused: 0 })
    expect(await productBySku(app, 'u-gone')).toMatchObject({ status: 'listed', onHand: 5 })
  })

  it('leaves alone what somebody has written into the table of its rows', async () => {
    const other = await newProduct(app, { sku: 'u-other', price: gbp(100), stock: 0 })
    const { body } = await importFile(
      app,
      'sku,name,price,stock\nu-new,New,1.00,5\nu-two,New,1.00,',
    )
    await app.back.pool.query(
      `update shop.product_import_rows set product_id = $2, sku = 'U-OTHER', stock = 0
       where import_id = $1 and sku = 'U-NEW'`,
      [body.id, other.id],
    )
    expect((await undo(app, body.id)).body).toMatchObject({
      undone: 1,
      kept: 1,
      keptRows: [{ sku: 'U-OTHER', why: expect.stringContaining('the log does not say') }],
    })
    expect(await productBySku(app, 'u-other')).toMatchObject({ status: 'listed' })
    expect(await productBySku(app, 'u-new')).toMatchObject({ status: 'listed' })
  })

  it('is refused for an import that failed or is not there', async () => {
    const { body } = await importFile(app, 'colour\nred')
    const failed = await app.admin.client.post(`/products/imports/${body.id}/undo`)
    expect(expectProblem(failed, 409, 'import/illegal-status').currentStatus).toBe('failed')
    const missing = await app.admin.client.post(`/products/imports/${newKey()}/undo`)
    expectProblem(missing, 404, 'import/not-found')
  })
})

it('is for admins', async () => {
  const { client } = await app.person('warehouse')
  const headers = { 'content-type': 'text/csv' }
  const refused = await client.post('/products/imports', 'sku', { key: newKey(), headers })
  expectProblem(refused, 403, 'command/forbidden')
  expectProblem(await app.anyone.get('/products/imports'), 401, 'request/unauthenticated')
})
