// The deployment files agree with the code: settings that exist, versions that are pinned, paths.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import Type, { type Static } from 'typebox'
import { Parse } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { flagsOf } from '../bench/child.ts'
import { loadConfig, settings } from '../src/config/config.ts'
import { temporaryDirectory } from './support/servers.ts'

const run = promisify(execFile)
const project = join(import.meta.dirname, '..')

const Texts = Type.Record(Type.String(), Type.String())
const Service = Type.Object({
  image: Type.String(),
  command: Type.Optional(Type.Array(Type.String())),
  environment: Type.Optional(Texts),
  build: Type.Optional(Type.Object({ context: Type.String(), dockerfile: Type.String() })),
  depends_on: Type.Optional(
    Type.Record(Type.String(), Type.Object({ condition: Type.Literal('service_healthy') })),
  ),
  healthcheck: Type.Optional(Type.Object({ test: Type.Array(Type.String(), { minItems: 2 }) })),
  ports: Type.Optional(Type.Array(Type.String())),
  volumes: Type.Optional(Type.Array(Type.String())),
  restart: Type.Literal('unless-stopped'),
  profiles: Type.Optional(Type.Array(Type.String())),
})
const Compose = Type.Object({
  services: Type.Record(Type.String(), Service),
  volumes: Type.Record(Type.String(), Type.Unknown()),
})
const Package = Type.Object({ scripts: Texts })
const Step = Type.Object({ uses: Type.Optional(Type.String()), run: Type.Optional(Type.String()) })
const Workflow = Type.Object({
  permissions: Texts,
  jobs: Type.Record(
    Type.String(),
    Type.Object({
      'timeout-minutes': Type.Integer({ maximum: 20 }),
      services: Type.Optional(Type.Record(Type.String(), Type.Object({ image: Type.String() }))),
      steps: Type.Array(Step),
    }),
  ),
})

const fileText = (name: string) => readFile(new URL(`../${name}`, import.meta.url), 'utf8')
const fileExists = (name: string) => existsSync(new URL(`../${name}`, import.meta.url))
const compose = Parse(Compose, parse(await fileText('docker-compose.yml'), { merge: true }))
const workflow = Parse(Workflow, parse(await fileText('.github/workflows/ci.yml')))
const dockerfile = await fileText('deploy/Dockerfile')

const all = Object.entries(compose.services).map(([name, service]) => ({ name, ...service }))
const services = all.filter(({ profiles }) => profiles === undefined)
const monitoring = all.filter(({ profiles }) => profiles?.includes('monitoring'))
const cluster = all.filter(({ profiles }) => profiles?.includes('cluster'))
const ours = services.filter(({ build }) => build !== undefined)
const foreign = services.filter(({ build }) => build === undefined)

/** The value that compose gives a variable: its own default, or what `.env` says. */
function filledIn(value: string, env: Record<string, string>): string {
  return value.replace(/\$\{(\w+)(?::-([^}]*))?(?::\?[^}]*)?\}/g, (_, name, fallback) => {
    return env[name] ?? fallback ?? ''
  })
}

function environmentOf(service: Static<typeof Service>): Record<string, string> {
  const env = {
    SECRET_KEY: 'a'.repeat(64),
    POSTGRES_PASSWORD: 'b',
    REDIS_PASSWORD: 'c',
    PAYMENT_PROVIDER: 'simulated',
  }
  const values = Object.entries(service.environment ?? {})
  return Object.fromEntries(values.map(([name, value]) => [name, filledIn(value, env)]))
}

describe('docker-compose.yml', () => {
  it('has the API, the worker and every server they need', () => {
    const names = ['api', 'worker', 'eventstore', 'postgres', 'redis', 'mail']
    expect(services.map(({ name }) => name).sort()).toEqual(names.sort())
  })

  it.each(ours)('starts $name from a file that exists, once its servers are healthy', service => {
    expect(service.build).toEqual({ context: '.', dockerfile: 'deploy/Dockerfile' })
    expect(fileExists(service.command?.at(-1) ?? 'none')).toBe(true)
    const needed = foreign.map(({ name }) => name).sort()
    expect(Object.keys(service.depends_on ?? {}).sort()).toEqual(needed)
  })

  it.each(ours)('gives $name settings that exist and are accepted', service => {
    const known = settings.map(({ name }) => name)
    const env = environmentOf(service)
    expect(Object.keys(env).filter(name => !known.includes(name))).toEqual([])
    expect(loadConfig(env).eventStoreUrl?.reveal()).toContain('esdb://')
  })

  it.each(ours)('connects $name to services of its own file', service => {
    const env = environmentOf(service)
    const hosts = ['DATABASE_URL', 'REDIS_URL', 'EVENTSTORE_URL', 'SMTP_URL'].map(name => {
      return new URL(env[name] ?? '').hostname
    })
    expect(hosts).toEqual(['postgres', 'redis', 'eventstore', 'mail'])
  })

  it('looks at the shop with what starts on demand alone', () => {
    expect(monitoring.map(({ name }) => name)).toEqual(['prometheus', 'grafana'])
    expect(monitoring.length + cluster.length + services.length).toBe(all.length)
  })

  it('has a cluster of three event stores that know each other, in the same version', () => {
    const names = ['eventstore-1', 'eventstore-2', 'eventstore-3']
    expect(cluster.map(({ name }) => name)).toEqual(names)
    const [single] = all.filter(({ name }) => name === 'eventstore')
    for (const { name, image, environment = {}, volumes } of cluster) {
      const others = names.filter(other => other !== name).map(other => `${other}:2113`)
      expect(image).toBe(single?.image)
      expect(environment.EVENTSTORE_CLUSTER_SIZE).toBe('3')
      expect(environment.EVENTSTORE_GOSSIP_SEED).toBe(others.join(','))
      expect(environment.EVENTSTORE_NODE_HOST_ADVERTISE_AS).toBe(name)
      expect(volumes).toEqual([`${name}:/var/lib/eventstore`])
    }
  })

  it.each(monitoring)('mounts files into $name that exist', ({ volumes = [] }) => {
    const files = volumes.flatMap(volume => /^\.\/([^:]+):.+:ro$/.exec(volume)?.[1] ?? [])
    expect(files.length).toBeGreaterThan(0)
    expect(files.filter(file => !fileExists(file))).toEqual([])
  })

  it('has Prometheus ask every process of ours where it answers', async () => {
    const asked = parse(await fileText('deploy/prometheus.yml'))
    const [{ names, port }] = asked.scrape_configs[0].dns_sd_configs
    expect(names).toEqual(ours.map(({ name }) => name))
    for (const service of ours) {
      expect(loadConfig(environmentOf(service))).toMatchObject({
        metricsPort: port,
        host: '0.0.0.0',
      })
    }
  })

  it.each([...monitoring, ...foreign, ...ours.filter(({ name }) => name === 'api')])(
    'checks the health of $name',
    ({ healthcheck }) => expect(healthcheck?.test[0]).toMatch(/^CMD/),
  )

  it.each([...foreign, ...monitoring])(
    'pins the version of $name and keeps its data in a volume',
    service => {
      expect(service.image).toMatch(/:v?\d+(\.\d+)*$/)
      const [volume = ''] = service.volumes ?? []
      expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0])
    },
  )

  it.each(all)('opens no port of $name to other machines', ({ ports = [] }) => {
    expect(ports.filter(port => !port.startsWith('127.0.0.1:'))).toEqual([])
  })

  it('has no secret with a default', async () => {
    const text = await fileText('docker-compose.yml')
    const secrets = [...text.matchAll(/\$\{(SECRET_KEY|\w+_PASSWORD)(.)(.)/g)]
    expect(secrets.length).toBeGreaterThan(3)
    expect(secrets.filter(([, , colon, mark]) => `${colon}${mark}` !== ':?')).toEqual([])
  })

  it('runs Redis as the shop demands it', () => {
    const command = compose.services.redis?.command?.join(' ')
    expect(command).toContain('--maxmemory-policy noeviction')
    expect(command).toContain('--appendonly yes')
  })
})

describe('the image', () => {
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths]) => {
    return paths?.split(' ') ?? []
  })

  it('copies only what is there, and what its build may see', async () => {
    const ignore = await fileText('deploy/Dockerfile.dockerignore')
    const visible = [...ignore.matchAll(/^!(.+)$/gm)].map(([, path]) => path)
    expect(copied.filter(path => !fileExists(path))).toEqual([])
    expect(visible.sort()).toEqual([...new Set(copied)].sort())
  })

  it('is built on the Node version of the project, for a user without rights', async () => {
    const { dependencies } = JSON.parse(await fileText('package.json'))
    const [major] = dependencies.node.split('.')
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base)
    expect(new Set(bases)).toEqual(new Set([`node:${major}-slim`]))
    expect(dockerfile).toMatch(/^USER node$/m)
  })
})

describe('the workflow', () => {
  const steps = Object.values(workflow.jobs).flatMap(job => job.steps)

  it('uses actions of pinned versions, with no right to write', () => {
    const used = steps.flatMap(({ uses }) => uses ?? [])
    expect(used.filter(action => !/^[\w-]+\/[\w-]+@(v\d+|[0-9a-f]{40})$/.test(action))).toEqual([])
    expect(workflow.permissions).toEqual({ contents: 'read' })
  })

  it('runs scripts that exist', async () => {
    const { scripts } = JSON.parse(await fileText('package.json'))
    const run = steps.flatMap(({ run: text = '' }) => [...text.matchAll(/npm run (\S+)/g)])
    expect(run.filter(([, script = '']) => !(script in scripts))).toEqual([])
    expect(steps.some(({ run: text }) => text === '.ci/run')).toBe(true)
  })

  it('tests against the servers that docker-compose.yml starts', () => {
    const tested = Object.values(workflow.jobs).flatMap(job => Object.values(job.services ?? {}))
    const started = foreign.map(({ image }) => image)
    expect(tested.filter(({ image }) => !started.includes(image))).toEqual([])
  })
})

describe('the command of a container', () => {
  it.each([
    ['api', 'src/main/api.ts'],
    ['worker', 'src/main/worker.ts'],
  ])('has the heap settings of npm run start:%s', async (name, script) => {
    const { scripts } = Parse(Package, JSON.parse(await fileText('package.json')))
    const words = [...flagsOf(script), script]
    expect(scripts[`start:${name}`]).toBe(
      `exec node --import ./tools/needsNode.js ${words.join(' ')}`,
    )
    expect(compose.services[name]?.command).toEqual(['node', ...words])
  })

  it('is that of the API where none is given', () => {
    const [, words = ''] = /^CMD (\[.*\])$/m.exec(dockerfile) ?? []
    expect(JSON.parse(words)).toEqual(['node', ...flagsOf('src/main/api.ts'), 'src/main/api.ts'])
  })
})

it('an install for production loses what nothing runs, and nothing else', async () => {
  const modules = await temporaryDirectory()
  const kept = ['stripe/index.js', 'stripe/map', 'a/include/a.js', 'node/bin/node', 'a/b.ts']
  const unread = ['stripe/index.d.ts', 'a/b.d.mts', 'a/b.js.map', '.bin/tsc', 'typescript/tsc.js']
  const headers = ['node/node_modules/node-x/include/node/node_api.h', '@typescript/x/tsgo']
  for (const file of [...kept, ...unread, ...headers]) {
    await mkdir(dirname(join(modules, file)), { recursive: true })
    await writeFile(join(modules, file), '')
  }
  const script = `import { pruneInstall } from './tools/pruneInstall.js'
    pruneInstall(process.argv[1])`
  await run(process.execPath, ['--input-type=module', '-e', script, modules], { cwd: project })
  const found = await readdir(modules, { recursive: true, withFileTypes: true })
  const files = found.filter(each => each.isFile())
  const left = files.map(({ parentPath, name }) => relative(modules, join(parentPath, name)))
  expect(left.sort()).toEqual(kept.sort())
  await rm(modules, { recursive: true })
})

describe('units for systemd and the server for nginx', () => {
  const units = ['orderstream-api@', 'orderstream-worker@'].map(
    name => `deploy/systemd/${name}.service`,
  )

  it('start what package.json has, as a user of their own, and restart it', async () => {
    const { scripts } = Parse(Package, JSON.parse(await fileText('package.json')))
    for (const unit of units) {
      const text = await fileText(unit)
      const [, script = ''] = /^ExecStart=\/usr\/bin\/npm run (\S+)$/m.exec(text) ?? []
      expect(Object.keys(scripts)).toContain(script)
      expect(text).toMatch(/^User=orderstream$/m)
      expect(text).toMatch(/^Restart=always$/m)
    }
  })

  it('nginx passes on what a shop needs to know, and believes nobody', async () => {
    const text = await fileText('deploy/nginx.conf')
    expect(text).toContain('proxy_set_header X-Forwarded-For $remote_addr;')
    expect(text).toContain('proxy_set_header Upgrade $http_upgrade;')
    expect(text).toContain('proxy_buffering off;')
    expect(await fileText('docs/installation.md')).toContain('deploy/nginx.conf')
  })
})
