import { resolve } from 'node:path'
import { GateError } from '../errors.js'

/** Where tools are taken from (input `tools`). */
export type ToolOrigin =
  | { readonly kind: 'auto' }
  | { readonly kind: 'release' }
  | { readonly kind: 'path' }
  | { readonly kind: 'source' }
  | { readonly kind: 'mirror'; readonly base: string }
  | { readonly kind: 'dir'; readonly folder: string }

/** Reads the input `tools`; anything but `auto, release, mirror:URL, dir:PATH, path, source` is a config error. */
export function parseToolOrigin(text: string): ToolOrigin {
  if (text === 'auto' || text === 'release' || text === 'path' || text === 'source') return { kind: text }
  if (text.startsWith('mirror:')) return { kind: 'mirror', base: mirrorBase(text.slice('mirror:'.length)) }
  if (text.startsWith('dir:')) {
    const folder = text.slice('dir:'.length)
    if (folder !== '') return { kind: 'dir', folder: resolve(folder) }
  }
  throw refused(`"${text}" is not one of auto, release, mirror:URL, dir:PATH, path, source`)
}

function mirrorBase(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !isFetchable(url)) throw refused(`the mirror "${text}" is not an https URL`)
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw refused('a mirror URL holds no credentials, query or fragment')
  return url.href
}

/** True for https anywhere and for http on the loopback interface only. */
export function isFetchable(url: URL): boolean {
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
}

function refused(why: string): GateError {
  return new GateError('config', { reason: 'tools-source', message: `Input tools: ${why}.` })
}
