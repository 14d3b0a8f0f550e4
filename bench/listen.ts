// Clients that follow orders over WebSocket, in a process of their own: when each message came.
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { isListening, type Listening } from './listeners.ts'

const arrivals: [position: string, at: number][] = []

process.on('message', message => {
  if (!isListening(message)) return
  connectAll(message).then(
    () => process.send?.({ arrivals: arrivals.splice(0) }),
    error => process.send?.({ failed: String(error) }),
  )
})
process.on('disconnect', () => process.exit())

async function connectAll({ url, tokens, isStaff }: Listening): Promise<void> {
  for (const token of tokens) {
    const address = `${url.replace('http', 'ws')}/ws/orders/notifications`
    const socket = new WebSocket(address, { headers: { authorization: `Bearer ${token}` } })
    socket.on('message', data => hear(String(data)))
    await once(socket, 'open')
    if (isStaff) socket.send(JSON.stringify({ subscribe: 'orders:all' }))
  }
}

function hear(text: string): void {
  const at = Date.now()
  const position = /"position":"(\d+)"/.exec(text)?.[1]
  if (position !== undefined) arrivals.push([position, at])
}
