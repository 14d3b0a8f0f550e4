// Loads the modules that PLUGINS names and collects the providers that they register.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Config, ConfigError } from '../config/config.ts'
import { withDeadline } from '../kit/deadline.ts'
import { codeOf } from '../kit/errorCode.ts'
import type { Plugin, PluginContext, Providers } from '../ports/plugins.ts'

const setupMs = 10_000

/** The functions of each kind of provider. */
const methodsOf = {
  promotion: ['unitPrices'],
  shipping: ['charges'],
  tax: ['charges'],
  payment: ['charge', 'cancel', 'refund', 'readCallback', 'list'],
  mail: ['send'],
} as const satisfies Record<keyof Omit<Providers, 'close'>, readonly string[]>

const providerKinds: readonly string[] = Object.keys(methodsOf)

/** The providers of all plugins; `close` stops every plugin. */
export interface LoadedPlugins extends Omit<Providers, 'close'> {
  close(): Promise<void>
}

/** Throws ConfigError, which names the module, where one cannot be used. */
export async function loadPlugins(config: Config): Promise<LoadedPlugins> {
  const { currency, shopName, mailFrom, paymentProvider } = config
  const context = { currency, shopName, mailFrom }
  const owners = new Map<string, string>()
  const loaded: Providers[] = []
  const close = async () => {
    for (const { close: stop } of loaded.toReversed()) await stop?.()
  }
  try {
    for (const module of config.plugins) {
      const providers = await loadPlugin(module, context)
      loaded.push(providers)
      for (const kind of providerKinds.filter(each => each in providers)) {
        const other = owners.get(kind)
        if (other !== undefined) {
          throw new ConfigError(`PLUGINS: ${other} and ${module} both register ${kind}`)
        }
        owners.set(kind, module)
      }
    }
    assertPaymentSetting(paymentProvider, owners.get('payment'))
  } catch (error) {
    await close()
    throw error
  }
  return { ...Object.assign({}, ...loaded), close }
}

function assertPaymentSetting(setting: Config['paymentProvider'], module: string | undefined) {
  if (setting === 'plugin' && module === undefined) {
    throw new ConfigError('PAYMENT_PROVIDER is plugin: no module of PLUGINS registers payment')
  }
  if (setting !== 'plugin' && module !== undefined) {
    throw fault(module, 'registers payment: set PAYMENT_PROVIDER to plugin')
  }
}

/** The providers of one module: a path that begins with . or /, or the name of a package. */
export async function loadPlugin(module: string, context: PluginContext): Promise<Providers> {
  const plugin = await importPlugin(module)
  const setup = (async () => plugin.setup(context))()
  const providers: unknown = await withDeadline(setupMs, 'setup', setup).catch(cause => {
    throw fault(module, `setup failed: ${textOf(cause)}`, cause)
  })
  assertProviders(module, providers)
  return providers
}

async function importPlugin(module: string): Promise<Plugin> {
  const isPath = /^[./]/.test(module)
  const imported: unknown = await import(
    isPath ? pathToFileURL(resolve(module)).href : module
  ).catch((cause: unknown) => {
    throw fault(module, `cannot be loaded: ${textOf(cause)}`, cause)
  })
  const plugin = isObject(imported) ? imported.default : undefined
  if (!isPlugin(plugin)) {
    throw fault(module, 'must export as default { name, setup }, with a name such as flat-rate')
  }
  return plugin
}

function isPlugin(value: unknown): value is Plugin {
  if (!isObject(value)) return false
  const { name, setup } = value
  return typeof name === 'string' && /^[a-z][a-z0-9-]*$/.test(name) && typeof setup === 'function'
}

function assertProviders(module: string, value: unknown): asserts value is Providers {
  if (!isObject(value)) throw fault(module, 'setup must answer an object of providers')
  const kinds = Object.keys(value).filter(key => key !== 'close')
  if (kinds.length === 0) throw fault(module, 'setup registers no provider')
  for (const kind of kinds) {
    const methods: readonly string[] | undefined = Object.entries(methodsOf).find(
      ([known]) => known === kind,
    )?.[1]
    if (methods === undefined) {
      throw fault(module, `there is no kind ${kind} of provider: ${providerKinds.join(', ')}`)
    }
    const provider = value[kind]
    for (const method of methods) {
      if (isObject(provider) && typeof provider[method] === 'function') continue
      throw fault(module, `the ${kind} provider has no function ${method}`)
    }
    if (kind === 'payment') assertPayment(module, provider)
  }
}

function assertPayment(module: string, provider: unknown) {
  const { name, signatureHeader } = isObject(provider) ? provider : {}
  if (typeof name !== 'string' || !/^[a-z][a-z0-9_-]{0,49}$/.test(name)) {
    throw fault(module, 'the payment provider needs a name such as paypal')
  }
  if (typeof signatureHeader !== 'string' || !/^[a-z][a-z0-9-]*$/.test(signatureHeader)) {
    throw fault(module, 'the payment provider needs a signatureHeader in lower case')
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function fault(module: string, what: string, cause?: unknown): ConfigError {
  return new ConfigError(`PLUGINS: ${module} ${what}`, { cause })
}

const textOf = (error: unknown) =>
  error instanceof Error ? error.message.split('\n')[0] : codeOf(error)
