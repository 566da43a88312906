/** A real browser without a window: the system's Chromium, or the one from npm. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Browser } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** @returns the browser, or why there is none */
export async function openBrowser(): Promise<Browser | string> {
  const reasons: string[] = []
  for (const find of [ofSystem, ofPackage]) {
    try {
      const found = await find()
      if (found) return await launch(found)
    } catch (error) {
      reasons.push((error as Error).message.split('\n')[0]!)
    }
  }
  return `no browser can be started: ${reasons.join('; ')}`
}

/** To imitate a graphics card costs three times as much as to do without. */
const args = ['--disable-gpu', '--disable-dev-shm-usage', '--font-render-hinting=none']

async function launch(executablePath: string): Promise<Browser> {
  const { chromium } = await import('playwright-core')
  return chromium.launch({ executablePath, args, headless: true })
}

async function ofSystem(): Promise<string | undefined> {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.flatMap(folder => names.map(name => join(folder, name))).find(isExecutable)
}

/** It is for Linux on x64 only; elsewhere its file does not start. */
async function ofPackage(): Promise<string> {
  const { default: chromium } = await import('@sparticuz/chromium')
  return chromium.executablePath()
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
