// A process's pool of sessions of the simulated PostgreSQL: what the shop takes for the real one.

import { translated } from '../../../src/infra/postgres/errors.ts'
import type {
  Pool,
  Queryable,
  SentStatement,
  Session,
} from '../../../src/infra/postgres/sessions.ts'
import { Unavailable } from '../../../src/ports/eventStore.ts'
import type { CallKind } from '../faults.ts'
import type { Process, World } from '../world.ts'
import type { Question, Server, Session as ServerSession } from './server.ts'
import { found, type Result } from './statements.ts'

/** A pool whose every question is a call of the world. */
export function simulatedPool(world: World, of: Process, server: Server): Pool {
  const ask = (session: ServerSession, questions: readonly Question[]) => {
    // What is on its way still arrives; nothing more is sent there.
    if (session.lostAt !== undefined) return Promise.reject(new Unavailable('it is closed'))
    const isPlain = questions[0]?.name === 'eventstore_append_plain'
    const conflict = isPlain ? () => [{ result: found([{ head: null }]) }] : undefined
    const call = { kind: kindOf(questions), key: keyOf(questions), conflict }
    return world
      .call(of, call, () => executeAll(server, session, questions))
      .catch(error => {
        // Nobody has answered: that is the end of a connection.
        if (error instanceof Unavailable) server.lost(session)
        throw translated(error)
      })
  }
  const asQueryable = (session: ServerSession): Queryable['query'] =>
    (async (query: string | { name?: string; text: string; values?: readonly unknown[] }) => {
      const given = typeof query === 'string' ? { text: query } : query
      const [answer] = await ask(session, [{ values: [], ...given }])
      return settled(answer)
    }) as Queryable['query']
  return {
    options: {},
    query: (query, values) =>
      asQueryable(server.open(of))(
        typeof query === 'string' ? { text: query, values: [...(values ?? [])] } : query,
      ),
    connect: async () => sessionOf(server.open(of), ask, asQueryable),
    end: async () => undefined,
  }
}

type Answer = { result: Result } | { error: unknown }
type Ask = (session: ServerSession, questions: readonly Question[]) => Promise<Answer[]>

function sessionOf(
  session: ServerSession,
  ask: Ask,
  asQueryable: (session: ServerSession) => Queryable['query'],
): Session {
  const query = asQueryable(session)
  return {
    lost: new Promise(() => undefined),
    query,
    send: ({ copyIn: _, ...statement }) => query(statement),
    /** One call of the world. */
    pipeline: (async (statements: readonly SentStatement[]) => {
      const answers = await ask(
        session,
        statements.map(({ name, text, values = [] }) => ({ text, values, ...(name && { name }) })),
      )
      return answers.map(settled)
    }) as Session['pipeline'],
    onNotification: () => undefined,
    release: () => undefined,
  }
}

function settled(answer: Answer | undefined): Result {
  if (answer === undefined) throw new Error('the server gave no answer')
  if ('error' in answer) throw translated(answer.error)
  return answer.result
}

/** One after the other, as a session does: what fails does not keep the next from being tried. */
function executeAll(
  server: Server,
  session: ServerSession,
  questions: readonly Question[],
): Answer[] | Promise<Answer[]> {
  const answers: Answer[] = []
  for (const [n, question] of questions.entries()) {
    try {
      const result = server.execute(session, question)
      if (result instanceof Promise) {
        return result
          .then(
            value => answers.push({ result: value }),
            error => answers.push({ error }),
          )
          .then(() => executeAll(server, session, questions.slice(n + 1)))
          .then(rest => [...answers, ...rest])
      }
      answers.push({ result })
    } catch (error) {
      answers.push({ error })
    }
  }
  return answers
}

function kindOf(questions: readonly Question[]): CallKind {
  const [{ name = '', text } = { text: '' }] = questions
  if (name.startsWith('eventstore_append')) return 'append'
  return /^\s*(select|begin$)/.test(text) && questions.length === 1 ? 'read' : 'write'
}

/** The name of a statement, or its first words. */
function keyOf(questions: readonly Question[]): string {
  if (questions.length > 1) return 'transaction'
  const [{ name, text } = { text: '' }] = questions
  if (name !== undefined && !name.startsWith('built_')) return name
  return text.trim().split(/\s+/, 4).join(' ')
}
