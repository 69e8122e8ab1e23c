/** The stages of one run, in order (docs/architecture.md, "The road of one run"). */
export const STAGES = [
  'context',
  'policy',
  'tools',
  'sources',
  'build',
  'inspect',
  'judge',
  'release',
  'record',
  'publish',
] as const
export type Stage = (typeof STAGES)[number]

/** A fact that is there, is missing for a reason, or was never asked for. Missing is never a pass. */
export type Known<T> =
  | { readonly state: 'present'; readonly value: T }
  | { readonly state: 'missing'; readonly why: string; readonly stage: Stage }
  | { readonly state: 'not-configured' }

/** Wraps a fact that was really observed. */
export function present<T>(value: T): Known<T> {
  return { state: 'present', value }
}

/** Says why a fact that was wanted is not there, and which stage could not get it. */
export function missing<T>(stage: Stage, why: string): Known<T> {
  return { state: 'missing', why, stage }
}

/** Says that nobody asked for this fact; rules that need it do not apply. */
export function notConfigured<T>(): Known<T> {
  return { state: 'not-configured' }
}

/** Another fact made of one that is there; one that is not stays as it is. */
export function mapKnown<T, U>(known: Known<T>, change: (value: T) => U): Known<U> {
  return known.state === 'present' ? present(change(known.value)) : known
}
