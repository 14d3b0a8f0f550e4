// A real browser for the pages of the shop: the Chromium of this machine, where there is one.
import { accessSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

const places = [
  process.env.CHROMIUM_PATH ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]

/** Where the browser is; undefined where there is none, which is said aloud. */
export function browserPath(): string | undefined {
  const found = places.find(place => place !== '' && isThere(place))
  if (found === undefined) {
    console.log('Pages in a browser skipped: no Chromium. To run them: apt-get install chromium')
  }
  return found
}

function isThere(path: string): boolean {
  try {
    accessSync(path)
    return true
  } catch {
    return false
  }
}

export function openBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
}

export interface Watched {
  page: Page
  /** What the browser complained about: errors of scripts, and breaches of the policy. */
  complaints: string[]
}

/** A tab whose complaints are kept. */
export async function newTab(browser: Browser | BrowserContext): Promise<Watched> {
  const page = await browser.newPage()
  page.setDefaultTimeout(15_000)
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(error.message))
  page.on('console', message => {
    if (message.text().includes('Content Security Policy')) complaints.push(message.text())
  })
  return { page, complaints }
}
