// Accounts over HTTP: signing in, profiles, sessions, passwords, users, personal data.
import type { RouteGroup } from '../../http/route.ts'
import { Profile, SignedIn } from './accountSchemas.ts'
import { accountRoutes } from './accounts.ts'
import { emailAddressRoutes } from './emailAddresses.ts'
import { erasureRoutes } from './erasure.ts'
import { exportRoutes } from './export.ts'
import { passwordRoutes } from './passwords.ts'
import { keyRoutes, profileRoutes } from './profile.ts'
import { resetPage } from './resetPage.ts'
import { sessionRoutes } from './sessions.ts'
import { userRoutes } from './users.ts'

export const account: RouteGroup = {
  api: [
    accountRoutes,
    passwordRoutes,
    emailAddressRoutes,
    sessionRoutes,
    profileRoutes,
    erasureRoutes,
    exportRoutes,
    userRoutes,
  ],
  root: [resetPage, keyRoutes],
  schemas: { Profile, SignedIn },
}
