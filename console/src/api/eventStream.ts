// Server-sent events of a job's progress, read with the token in a header, which EventSource cannot.
import { type RequestOptions, send } from './request.ts'

/** Calls back with each event; resolves when the stream ends, throws when it is refused. */
export async function readEvents(
  path: string,
  onEvent: (type: string, data: unknown) => void,
  options: RequestOptions = {},
): Promise<void> {
  const headers = { accept: 'text/event-stream' }
  const response = await send(path, { ...options, headers })
  if (response.body === null) return
  let text = ''
  for await (const chunk of chunksOf(response.body.pipeThrough(new TextDecoderStream()))) {
    const blocks = (text + chunk).split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) deliver(block, onEvent)
  }
}

/** Not every browser lets a stream be iterated. */
async function* chunksOf(stream: ReadableStream<string>): AsyncGenerator<string> {
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    yield value
  }
}

function deliver(block: string, onEvent: (type: string, data: unknown) => void): void {
  const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1]
  const data = field('data')
  if (data !== undefined) onEvent(field('event') ?? 'message', JSON.parse(data))
}
