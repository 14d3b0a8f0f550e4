// Signing in and out, and the permissions of the signed-in user.
import { type AuthProvider, HttpError } from 'react-admin'
import { isStaff, may } from './access.ts'
import { endedUser, pageOwner, signIn, signOut } from './session.ts'

export const authProvider: AuthProvider = {
  async login({ username, password }: { username: string; password: string }) {
    const { roles } = await signIn(username, password)
    if (isStaff(roles)) return
    await signOut()
    throw new Error('This console is for the staff of the shop; your account is a customer’s.')
  },
  async logout() {
    await signOut()
  },
  async checkAuth() {
    if ((await pageOwner()) === undefined) throw new Error('Please sign in.')
  },
  async checkError(error) {
    // A rejection here signs out, leaves the page and makes react-admin report the failed request
    // as done. A session that ended is continued on the page (signInAgain.ts); a missing role is
    // said there.
    const isNobody = endedUser() === undefined && (await pageOwner()) === undefined
    if (isNobody && error instanceof HttpError && error.status === 401) throw error
  },
  async getIdentity() {
    const user = await pageOwner()
    if (user === undefined) throw new Error('Please sign in.')
    return { id: user.id, fullName: `${user.username} (${user.roles.join(', ')})` }
  },
  async getPermissions() {
    return (await pageOwner())?.roles ?? []
  },
  async canAccess({ resource, action }) {
    return may((await pageOwner())?.roles ?? [], resource, action)
  },
}
