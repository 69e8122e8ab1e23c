/** What an SBOM should say of each package (NTIA, "The Minimum Elements for a Software Bill of Materials", 2021). */
export const PACKAGE_ELEMENTS = ['supplier', 'name', 'version', 'identifier', 'relationship'] as const
export type PackageElement = (typeof PACKAGE_ELEMENTS)[number]

/** How far one document has the minimum elements. */
export interface MinimumElements {
  /** Packages that were looked at. */
  readonly packages: number
  /** How many of them lack each element. */
  readonly lacking: Readonly<Record<PackageElement, number>>
  /** Whether the document says who made it. */
  readonly author: boolean
  /** Whether the document says when it was made. */
  readonly timestamp: boolean
}

/** What one package of a document says of itself. */
export type PackageElements = Readonly<Record<PackageElement, boolean>>

/** Counts what the packages of one document lack. */
export function countElements(
  packages: readonly PackageElements[],
  document: Pick<MinimumElements, 'author' | 'timestamp'>,
): MinimumElements {
  const lacks = (element: PackageElement): number => packages.filter(found => !found[element]).length
  return {
    packages: packages.length,
    lacking: {
      supplier: lacks('supplier'),
      name: lacks('name'),
      version: lacks('version'),
      identifier: lacks('identifier'),
      relationship: lacks('relationship'),
    },
    ...document,
  }
}

/**
 * How much of what a document should say is there, in whole percent, rounded down: five elements for each package, and
 * author and timestamp of the document itself. 100 only when nothing is lacking.
 */
export function percentOf(found: MinimumElements): number {
  const wanted = found.packages * PACKAGE_ELEMENTS.length + 2
  const lacking = PACKAGE_ELEMENTS.reduce((sum, element) => sum + found.lacking[element], 0)
  return Math.floor((100 * (wanted - lacking - Number(!found.author) - Number(!found.timestamp))) / wanted)
}

/** `supplier 40, version 2, no author`: what is lacking, most first; empty when nothing is. */
export function lackingWords(found: MinimumElements): string {
  const elements = PACKAGE_ELEMENTS.filter(element => found.lacking[element] > 0)
    .toSorted((a, b) => found.lacking[b] - found.lacking[a])
    .map(element => `${element} ${found.lacking[element]}`)
  const document = [...(found.author ? [] : ['no author']), ...(found.timestamp ? [] : ['no timestamp'])]
  return [...elements, ...document].join(', ')
}
