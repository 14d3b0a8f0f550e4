// Pages of the server itself: home, console, reference and problem types.
import type { RouteGroup } from '../../http/route.ts'
import { consoleRoutes } from './console.ts'
import { homePage } from './homePage.ts'
import { problemPages } from './problemPages.ts'
import { referencePage } from './reference.ts'

export const pages: RouteGroup = { root: [homePage, problemPages, referencePage, consoleRoutes] }
