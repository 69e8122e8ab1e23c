import { requestIdToken } from '../../src/github/id-token.js'
import type { SigningLimits } from '../../src/release/patience.js'
import type { ReleaseRequest, ReleaseServices, Signing } from '../../src/release/request.js'
import type { SigstoreFiles } from '../../src/tools/cosign-keyless.js'
import { openDesk, type Desk } from './release-desk.js'
import { startSigstore, type PrivateSigstore } from './sigstore.js'

/** A place to release at without a key: the desk, and a private Sigstore beside it. */
export interface KeylessDesk {
  readonly desk: Desk
  readonly sigstore: PrivateSigstore
  /** As the desk's, with the clock of this machine: certificates are of now. */
  readonly services: ReleaseServices
  readonly signing: (files: SigstoreFiles, limits?: Partial<SigningLimits>) => KeylessSigning
  readonly request: (
    files: SigstoreFiles,
    more?: Partial<ReleaseRequest> & {
      readonly platforms?: 1 | 2
      readonly waiting?: Partial<SigningLimits>
    },
  ) => Promise<ReleaseRequest>
  readonly close: () => Promise<void>
}

type KeylessSigning = Extract<Signing, { readonly kind: 'keyless' }>

export async function openKeylessDesk(): Promise<KeylessDesk> {
  const desk = await openDesk()
  const sigstore = await startSigstore().catch(async (thrown: unknown) => {
    await desk.close()
    throw thrown
  })
  const { environment } = sigstore.issuer
  const { signal } = desk.services
  const limits = { answerMs: 2000, budgetMs: 1000, pauseMs: 50 }
  function signing(files: SigstoreFiles, waiting: Partial<SigningLimits> = {}): KeylessSigning {
    const request = (audience: string): Promise<string> =>
      requestIdToken({ environment, signal, limits }, audience)
    const tokens = { request, server: 'https://github.com' }
    return { kind: 'keyless', tokens, sigstore: files, limits: waiting, rehearsal: true }
  }
  return {
    ...{ desk, sigstore, signing },
    services: { ...desk.services, now: () => new Date() },
    request: async (files, more = {}) => {
      const { platforms = 1, waiting = {}, ...changes } = more
      return { ...(await desk.request(platforms)), signing: signing(files, waiting), ...changes }
    },
    close: async () => {
      await sigstore.stop()
      await desk.close()
    },
  }
}
