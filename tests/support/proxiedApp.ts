// A test shop whose API and workers reach their servers through proxies that can be silenced.
import { type CuttableProxy, cuttableProxy } from './cuttableProxy.ts'
import { startTestApp, type TestApp, type TestAppOptions } from './testApp.ts'

export interface ProxiedApp {
  /** Its `back` reaches the servers without a proxy. */
  app: TestApp
  postgres: CuttableProxy
  redis: CuttableProxy
  smtp: CuttableProxy
  close(): Promise<void>
}

/** Starts a shop behind proxies before PostgreSQL, Redis and the mail server. */
export async function startProxiedApp(options: TestAppOptions = {}): Promise<ProxiedApp> {
  const proxies: Record<string, CuttableProxy> = {}
  const app = await startTestApp({
    ...options,
    async through({ databaseUrl, redisUrl, smtpUrl }) {
      const urls = {
        DATABASE_URL: databaseUrl.reveal(),
        REDIS_URL: redisUrl.reveal(),
        SMTP_URL: smtpUrl.reveal(),
      }
      const entries = Object.entries(urls).map(async ([name, direct]) => {
        const url = new URL(direct)
        const proxy = await cuttableProxy(url.hostname, Number(url.port))
        proxies[name] = proxy
        url.hostname = '127.0.0.1'
        url.port = String(proxy.port)
        return [name, url.href]
      })
      return Object.fromEntries(await Promise.all(entries))
    },
  })
  const proxyOf = (name: string) => {
    const proxy = proxies[name]
    if (proxy === undefined) throw new Error(`there is no proxy for ${name}`)
    return proxy
  }
  return {
    app,
    postgres: proxyOf('DATABASE_URL'),
    redis: proxyOf('REDIS_URL'),
    smtp: proxyOf('SMTP_URL'),
    async close() {
      await app.close()
      for (const proxy of Object.values(proxies)) await proxy.close()
    },
  }
}
