// Signing in and out, and what the roles of whoever is signed in allow.
import { type AuthProvider, HttpError } from 'react-admin'
import { isStaff, may } from './access.ts'
import { currentSession, signIn, signOut } from './session.ts'

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
    if ((await currentSession()) === undefined) throw new Error('Please sign in.')
  },
  async checkError(error) {
    // A role that is missing is said on the page; only who is not signed in has to sign in.
    if (error instanceof HttpError && error.status === 401) throw error
  },
  async getIdentity() {
    const { user } = (await currentSession()) ?? {}
    if (user === undefined) throw new Error('Please sign in.')
    return { id: user.id, fullName: `${user.username} (${user.roles.join(', ')})` }
  },
  async getPermissions() {
    return (await currentSession())?.user.roles ?? []
  },
  async canAccess({ resource, action }) {
    return may((await currentSession())?.user.roles ?? [], resource, action)
  },
}
