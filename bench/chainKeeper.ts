// Signs the log as a worker does, when it is told to: nothing else of a worker runs.
import { loadConfig } from '../src/config/config.ts'
import { openServices } from '../src/main/openServices.ts'
import { startAuditChain } from '../src/workers/jobs/auditChain.ts'
import { isChainOrder } from './chain.ts'

const log = { error: console.error, warn: console.error, info: console.log, debug: console.log }
let chain: ReturnType<typeof startAuditChain> | undefined
let opened: ReturnType<typeof openServices> | undefined

process.on('message', message => {
  if (!isChainOrder(message)) return
  obey(message.settings, message.sign).then(
    () => process.send?.({ signing: message.sign }),
    error => process.send?.({ failed: String(error) }),
  )
})
process.on('disconnect', () => process.exit())

async function obey(settings: Record<string, string>, sign: boolean): Promise<void> {
  opened ??= openServices(loadConfig(settings))
  const app = await opened
  await chain?.stop()
  chain = sign ? startAuditChain({ ...app, log }) : undefined
}
