// Methods that an address does not have are refused by name: 405, with those that it has.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { HttpProblem } from './problems.ts'

/** What this API speaks. OPTIONS is the preflight of browsers; TRACE is there to be refused. */
const spoken = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
const refused = [...spoken, 'TRACE']
/** The preflight's address, which is every address. */
const everywhere = '*'

export interface Methods {
  /** Answers 405 at every address for the methods that nothing was published for. */
  refuseOthers(): void
}

/** Watches what is published from here on. */
export function watchMethods(server: FastifyInstance): Methods {
  const published = new Set<string>()
  server.addHook('onRoute', ({ url }) => {
    if (url !== everywhere) published.add(url)
  })
  return {
    refuseOthers() {
      for (const url of [...published]) {
        const isKnown = (method: string) => server.hasRoute({ url, method })
        const method = refused.filter(each => !isKnown(each))
        refuse(server, { url, method, allow: spoken.filter(isKnown) })
      }
    },
  }
}

/** A method that is none of ours, at an address that need not exist. */
export function isUnspoken({ method }: FastifyRequest): boolean {
  return !spoken.includes(method) && method !== 'OPTIONS'
}

/** Throws the 405 problem, with what is allowed instead. */
export function refuseMethod(request: FastifyRequest, reply: FastifyReply, allow = spoken): never {
  reply.header('allow', [...allow, 'OPTIONS'].join(', '))
  const detail = `${request.method} is not supported here: the Allow header lists what is.`
  throw new HttpProblem('request/method-not-allowed', detail)
}

function refuse(server: FastifyInstance, on: { url: string; method: string[]; allow: string[] }) {
  const { url, method, allow } = on
  const handler = async (request: FastifyRequest, reply: FastifyReply) =>
    refuseMethod(request, reply, allow)
  server.route({
    url,
    method,
    config: { access: 'public' },
    schema: { hide: true },
    exposeHeadRoute: false,
    // Before the body is read: what it is does not matter any more.
    onRequest: handler,
    handler,
  })
}
