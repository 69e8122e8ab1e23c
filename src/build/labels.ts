/** Where the sources come from; what is not known stays out. */
export interface SourceFacts {
  /** URL of the repository. */
  readonly source?: string
  /** Full commit id. */
  readonly revision?: string
  /** RFC 3339. */
  readonly created?: string
  readonly title?: string
}

/**
 * Labels of the OCI image specification (annotations.md) from the context of the run. What was asked for by name
 * wins over what is derived.
 */
export function sourceLabels(
  facts: SourceFacts,
  asked: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const derived = Object.entries(facts).map(
    ([key, value]) => [`org.opencontainers.image.${key}`, value] as const,
  )
  return { ...Object.fromEntries(derived), ...asked }
}
