// The launcher with a tiny app in place of the shop, for tests of the launcher alone.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { loadConfig, readEnvironment } from '../../src/config/config.ts'
import { launch, type StartApp } from '../../tools/launch.ts'

const startApp: StartApp = async (env, say) => {
  const { host, port, publicUrl, shopName } = loadConfig(env)
  const server = createServer((_request, response) => response.end('ok'))
  server.listen(port, host)
  await once(server, 'listening')
  say('App         started')
  const close = async () => {
    server.close()
    server.closeAllConnections()
    if (shopName === 'never closes') await new Promise(() => setInterval(() => undefined, 1_000))
  }
  return { url: publicUrl, close }
}

await launch(readEnvironment(), async () => startApp)
