import type { Evidence, PlatformEvidence } from '../evidence/evidence.js'

type Value<T> = T extends { readonly state: 'present'; readonly value: infer V } ? V : never

/** Kinds of evidence that exist once. */
export type ImageNeed = Exclude<keyof Evidence, 'platforms'>
/** Kinds of evidence that exist for each platform. */
export type PlatformNeed = Exclude<keyof PlatformEvidence, 'platform'>
export type Need = ImageNeed | PlatformNeed

/** The evidence of one platform, present as far as the rule needs it. */
export type PresentPlatform<K extends Need> = { readonly platform: string } & {
  readonly [P in Extract<K, PlatformNeed>]: Value<PlatformEvidence[P]>
}

/** What a check is given: every kind it needs, really there. */
export type Present<K extends Need> = {
  readonly [P in Extract<K, ImageNeed>]: Value<Evidence[P]>
} & { readonly platforms: readonly PresentPlatform<K>[] }
