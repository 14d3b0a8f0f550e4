// 405 with an Allow header for methods that a URL does not support.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { HttpProblem } from './problems.ts'

/** The methods of this API. OPTIONS is the preflight of browsers; TRACE is refused. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
const refused = [...methods, 'TRACE']
/** The URL of the preflight route. */
const everywhere = '*'

export interface Methods {
  /** Answers 405 at every published URL for the other methods. */
  refuseOthers(): void
}

/** Records the routes that are published from here on. */
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
        refuse(server, { url, method, allow: methods.filter(isKnown) })
      }
    },
  }
}

/** Whether no route can have the method of a request. */
export function isUnknownMethod({ method }: FastifyRequest): boolean {
  return !methods.includes(method) && method !== 'OPTIONS'
}

/** Throws the 405 problem, with the allowed methods. */
export function refuseMethod(request: FastifyRequest, reply: FastifyReply, allow = methods): never {
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
    // Before the body is read.
    onRequest: handler,
    handler,
  })
}
