const DATABASES: readonly RegExp[] = [
  /^var\/lib\/dpkg\/(?:status|status\.d)(?=$|\/)/,
  /^(?:usr\/)?lib\/apk\/db\/installed$/,
  /^(?:var\/lib\/rpm|usr\/lib\/sysimage\/rpm)\/(?:Packages(?:\.db)?|rpmdb\.sqlite)$/,
]
const JAVA = /\.(?:ear|jar|par|war)$/i

/** The package database of an operating system that this name of a layer's entry belongs to; undefined for others. */
export function packageDatabaseOf(path: string): string | undefined {
  for (const database of DATABASES) {
    const match = database.exec(path)
    if (match !== null) return match[0]
  }
  return undefined
}

/** True for the names that the scanner opens as Java archives (Trivy 0.74.0). */
export function isJavaArchive(path: string): boolean {
  return JAVA.test(path)
}
