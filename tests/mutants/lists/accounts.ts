// Tokens, passwords, sessions, links and rights: what is taken out, and the tests that notice.
import type { TestedMutant } from '../mutant.ts'

const tokens = {
  file: 'src/infra/accounts/tokens.ts',
  test: 'tests/infra/tokens.test.ts',
}
const links = {
  file: 'src/infra/accounts/emailAddresses.ts',
  test: 'tests/api/emailAddresses.test.ts',
}
const closed = 'tests/api/closedAccounts.test.ts'

export const accountGuards: readonly TestedMutant[] = [
  {
    ...tokens,
    name: 'token-issuer',
    promise: 'an access token of another shop is refused',
    find: '      issuer,\n      audience,',
    replace: '      audience,',
  },
  {
    ...tokens,
    name: 'token-audience',
    promise: 'an access token for another audience is refused',
    find: '      issuer,\n      audience,',
    replace: '      issuer,',
    also: [
      {
        file: tokens.file,
        find: 'aud: Type.Literal(audience)',
        replace: 'aud: Type.Unknown()',
      },
    ],
  },
  {
    ...tokens,
    name: 'token-age',
    promise: 'an access token never lives longer than the setting says',
    find: '      maxTokenAge: accessTtlSeconds,\n',
    replace: '',
  },
  {
    ...tokens,
    name: 'token-remembered-end',
    promise: 'a token that was found good a moment ago still ends on time',
    find: 'now / 1000 >= before.exp + clockToleranceSeconds',
    replace: 'false',
  },
  {
    ...tokens,
    name: 'token-spelling',
    promise: 'a token has one spelling, so that another one cannot get around a look-up',
    find: ' || !isCanonical(jwt)',
    replace: '',
  },
  {
    name: 'ticket-once',
    promise: 'a ticket opens one live connection, and no second one',
    file: 'src/infra/accounts/tickets.ts',
    find: `delete from shop.tickets
    where ticket_digest = $1 and expires_at > now()
    returning customer_id, family`,
    replace: `select customer_id, family from shop.tickets
    where ticket_digest = $1 and expires_at > now()`,
    test: 'tests/api/sessions.test.ts',
  },
  {
    name: 'ticket-sealed',
    promise: 'a ticket that somebody wrote into the database is worth nothing',
    file: 'src/infra/accounts/tickets.ts',
    find: 'return isGenuine ? { customerId, family } : undefined',
    replace: 'return isGenuine || row ? { customerId, family } : undefined',
    test: 'tests/api/sessions.test.ts',
  },
  {
    ...links,
    name: 'link-age',
    promise: 'a link that confirms an address ends after a day',
    find: 'where t.token_digest = $1 and t.ended_at is null and t.expires_at > now()',
    replace: 'where t.token_digest = $1 and t.ended_at is null',
    also: [
      {
        file: links.file,
        find: '        and t.ended_at is null\n        and t.expires_at > now()\n',
        replace: '        and t.ended_at is null\n',
      },
    ],
  },
  {
    ...links,
    name: 'link-of-dropped-change',
    promise: 'the link of a change of address that was dropped confirms nothing',
    find: '        and t.email_digest in (a.email_digest, e.email_digest)\n',
    replace: '',
  },
  {
    ...links,
    name: 'link-of-locked-account',
    promise: 'links of an account that is locked out confirm nothing',
    find: '        and not a.disabled\n',
    replace: '',
  },
  {
    ...links,
    name: 'link-made-by-the-shop',
    promise: 'a link that somebody wrote into the database confirms nothing',
    find: "if (!isAuthentic(secrets, token, goodFor)) return 'expired'",
    replace: '',
  },
  {
    name: 'closed-account-at-the-door',
    promise: 'a token of an account that is closed is refused at once by whoever closed it',
    file: 'src/api/http/currentRoles.ts',
    find: 'if (before !== undefined && !isOut) return before.roles',
    replace: 'if (before !== undefined) return before.roles',
    test: closed,
  },
  {
    name: 'ended-session-at-the-door',
    promise: 'a token whose session has ended is refused as soon as the session is looked at',
    file: 'src/api/http/currentRoles.ts',
    find: 'const roles = isOpen ? current : undefined',
    replace: 'const roles = isOpen ? current : current',
    test: closed,
  },
  {
    name: 'rights-within-a-second',
    promise: 'what another process has done to a shopper is noticed within a second',
    file: 'src/api/http/currentRoles.ts',
    find: 'const cachedMs = 800',
    replace: 'const cachedMs = 5_000',
    test: 'tests/api/processes.test.ts',
  },
  {
    name: 'closed-account-refused',
    promise:
      'the cart and orders of a closed account take no more commands, whatever its token says',
    file: 'src/commands/core/openAccount.ts',
    find: 'if (!(await isClosed(app, actor.id))) return undefined',
    replace: 'if (!(await isClosed(app, actor.id)) || actor.id !== undefined) return undefined',
    test: closed,
  },
  {
    name: 'erased-account-is-closed',
    promise: 'an order that was under way when its buyer was erased is not placed after it',
    file: 'src/commands/core/openAccount.ts',
    find: "return state.status === 'erased' || (state.status === 'registered' && state.disabled)",
    replace: "return state.status === 'registered' && state.disabled",
    test: closed,
  },
  {
    name: 'rights-of-followers',
    promise: 'who has lost the right to follow orders hears nothing of what comes after it',
    file: 'src/api/http/currentRoles.ts',
    find: 'if (current === undefined || !isForAll) return current !== undefined',
    replace: 'if (current !== null) return true',
    test: 'tests/api/processes.test.ts',
  },
  {
    name: 'everybodys-orders-for-staff',
    promise: 'the orders of everybody are followed by the staff, and by nobody else',
    file: 'src/api/realtime/realtime.ts',
    find: 'if (!(await mayFollow(context.app, connection, true)))',
    replace: 'if (context.app === undefined)',
    also: [
      {
        file: 'src/api/http/currentRoles.ts',
        find: "return current.some(role => role !== 'customer' && roles.includes(role))",
        replace: 'return current.length > 0',
      },
    ],
    test: 'tests/api/realtime.test.ts',
  },
  {
    name: 'attempts-at-passwords',
    promise: 'nobody tries passwords of an account without end',
    file: 'src/api/http/limits.ts',
    find: '  limitPasswordAttempts(server, context, policies)\n',
    replace: '',
    test: 'tests/security/rateLimits.test.ts',
  },
  {
    name: 'rate-limits',
    promise: 'who asks for too much is told where they stand, and refused above the limit',
    file: 'src/infra/redis/rateLimits.ts',
    find: 'return counted(await limiter.consume(key, times), true)',
    replace: 'return { allowed: true, remaining: points - times, resetSeconds: duration }',
    test: 'tests/security/rateLimits.test.ts',
  },
  {
    name: 'rate-limits-without-redis',
    promise: 'a process that has lost Redis goes on counting by itself',
    file: 'src/infra/redis/rateLimits.ts',
    find: '      insuranceLimiter: new RateLimiterMemory(limits),\n',
    replace: '',
    test: 'tests/infra/rateLimits.test.ts',
  },
  {
    ...links,
    name: 'links-in-an-hour',
    promise: 'nobody is sent more than five links in an hour, however often they ask',
    find: 'const perHourMax = 5',
    replace: 'const perHourMax = 5_000',
  },
]
