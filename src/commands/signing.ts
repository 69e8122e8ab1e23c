import { resolve } from 'node:path'
import type { ImageReference } from '../evidence/reference.js'
import { requestIdToken } from '../github/id-token.js'
import type { Signing } from '../release/request.js'
import { readSigstore } from '../release/sigstore.js'
import type { SigstoreFiles } from '../tools/cosign-keyless.js'
import type { Plan } from './plan.js'
import type { Facts, Given } from './run.js'

/** Where repositories live when the runner does not say it. */
const GITHUB = 'https://github.com'

type SigningGiven = Pick<Given, 'request'> & { readonly facts: Pick<Facts, 'context'> }

/** Before anything costly: the files of an own Sigstore can be used. Reads them again when it signs. */
export async function refuseUnusableSigstore(given: SigningGiven, plan: Plan): Promise<void> {
  const files = ownSigstore(given)
  if (plan.publish && plan.sign === 'keyless' && files !== undefined) await readSigstore(files)
}

/** How this run signs. A release to a registry on loopback is a rehearsal, and its statements say so. */
export function signingOf(given: Given, plan: Plan, image: ImageReference): Signing {
  const { request, services } = given
  const rehearsal = image.loopback
  if (plan.sign === 'keyless') return keyless(given, rehearsal)
  if (plan.sign === 'none' || request.key === undefined) return { kind: 'none' }
  const password = services.environment['COSIGN_PASSWORD'] ?? ''
  return { kind: 'key', key: request.key, password, rehearsal }
}

function keyless(given: Given, rehearsal: boolean): Signing {
  const { environment, signal } = given.services
  const sigstore = ownSigstore(given)
  const server = environment['GITHUB_SERVER_URL'] ?? ''
  return {
    kind: 'keyless',
    tokens: {
      request: audience => requestIdToken({ environment, signal }, audience),
      server: /^https:\/\/[a-z0-9.-]+(?::[0-9]+)?$/.test(server) ? server : GITHUB,
    },
    ...(sigstore === undefined ? {} : { sigstore }),
    rehearsal,
  }
}

function ownSigstore({ request, facts }: SigningGiven): SigstoreFiles | undefined {
  const { signingConfig, trustedRoot } = request
  if (signingConfig === undefined || trustedRoot === undefined) return undefined
  const from = facts.context?.workspace ?? '.'
  return { signingConfig: resolve(from, signingConfig), trustedRoot: resolve(from, trustedRoot) }
}
